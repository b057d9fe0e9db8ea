import type { Limit, LimitRefusal, LimitWindow } from "../core/state-store.ts";

/**
 * Sliding windows. What passed is kept as entries of some requests that passed close to each other, so that a counter is small
 * whatever passes. An entry counts until a window after its last request: never shorter than any of its requests should, and at
 * most a `GRAINS`th of the window longer. So no window, wherever it begins, holds more than the limit.
 *
 * The same in Lua is src/shell/state/limit-scripts.ts; a test compares the two.
 */

export const WINDOW_MS: Readonly<Record<LimitWindow, number>> = { minute: 60_000, day: 86_400_000 };

/** Entries begin at least a window's `GRAINS`th apart: there are at most `GRAINS` + 1 of them. */
export const GRAINS = 64;

/** What passed from `firstMs` to `lastMs`: so many requests, or tokens. */
export type Entry = { firstMs: number; lastMs: number; amount: number };

/** Oldest first, apart from each other. Changed in place: one is looked at for every limit of every request. */
export type Counter = {
  readonly windowMs: number;
  readonly entries: Entry[];
  /** The amounts of all entries. */
  used: number;
};

/** What counts against a limit. */
export type Held = Counter & { readonly limit: Limit };

export function emptyCounter(window: LimitWindow): Counter {
  return { windowMs: WINDOW_MS[window], entries: [], used: 0 };
}

export function amountOf(limit: Limit, tokens: number): number {
  return limit.metric === "requests" ? 1 : tokens;
}

/** Takes from all, or says which of them has its next chance last, and takes from none. */
export function reserve(held: readonly Held[], tokens: number, nowMs: number): LimitRefusal | undefined {
  let refusal: LimitRefusal | undefined;
  for (const counter of held) {
    const { limit } = counter;
    advance(counter, nowMs);
    const retryAfterMs = waitMs(counter, limit.limit, amountOf(limit, tokens), nowMs);
    if (retryAfterMs > (refusal?.retryAfterMs ?? 0))
      refusal = { kind: "refused", limit, remaining: Math.max(limit.limit - counter.used, 0), retryAfterMs };
  }
  if (refusal === undefined) for (const counter of held) put(counter, amountOf(counter.limit, tokens), nowMs);
  return refusal;
}

/** Puts the real number of tokens in the place of the estimate that was reserved at `atMs`. */
export function reconcile(held: readonly Held[], estimated: number, real: number, atMs: number, nowMs: number): void {
  for (const counter of held) if (counter.limit.metric === "tokens") correct(counter, real - estimated, atMs, nowMs);
}

/** As if it had never been reserved. */
export function giveBack(held: readonly Held[], estimated: number, atMs: number, nowMs: number): void {
  for (const counter of held) correct(counter, -amountOf(counter.limit, estimated), atMs, nowMs);
}

/** Drops what counts no longer. */
export function advance(counter: Counter, nowMs: number): void {
  const { entries, windowMs } = counter;
  for (let oldest = entries[0]; oldest !== undefined && nowMs - oldest.lastMs >= windowMs; oldest = entries[0]) {
    counter.used -= oldest.amount;
    entries.shift();
  }
  const newest = entries.at(-1);
  if (newest !== undefined && newest.lastMs > nowMs) takeFutureAsNow(counter, nowMs);
}

/** A clock that was put back must not make an entry last longer than a window from now. */
function takeFutureAsNow(counter: Counter, nowMs: number): void {
  const { entries } = counter;
  let amount = 0;
  for (let newest = entries.at(-1); newest !== undefined && newest.firstMs > nowMs; newest = entries.at(-1)) {
    amount += newest.amount;
    counter.used -= newest.amount;
    entries.pop();
  }
  const newest = entries.at(-1);
  if (newest !== undefined && newest.lastMs > nowMs) newest.lastMs = nowMs;
  if (amount > 0) put(counter, amount, nowMs);
}

/**
 * Until `amount` could pass, if nobody else asks; 0: now. What is more than the whole limit, which only an estimate of tokens
 * can be, passes where nothing counts. The counter must be advanced.
 */
export function waitMs(counter: Counter, limit: number, amount: number, nowMs: number): number {
  const usedMax = Math.max(limit - amount, 0);
  let { used } = counter;
  if (used <= usedMax) return 0;
  for (const entry of counter.entries) {
    used -= entry.amount;
    if (used <= usedMax) return Math.ceil(counter.windowMs - (nowMs - entry.lastMs));
  }
  return counter.windowMs;
}

/** Counts an amount, at `atMs` in the past where another store brings it in later. The counter must be advanced. */
export function put(counter: Counter, amount: number, atMs: number): void {
  const { entries } = counter;
  const grainMs = counter.windowMs / GRAINS;
  counter.used += amount;
  let index = entries.length;
  for (let before = entries[index - 1]; before !== undefined && before.firstMs > atMs; before = entries[index - 1]) index--;
  const before = entries[index - 1];
  const after = entries[index];
  if (before !== undefined && (atMs <= before.lastMs || atMs - before.firstMs < grainMs)) {
    before.lastMs = Math.max(before.lastMs, atMs);
    before.amount += amount;
  } else if (after !== undefined && after.firstMs - atMs < grainMs) {
    after.firstMs = atMs;
    after.amount += amount;
  } else {
    entries.splice(index, 0, { firstMs: atMs, lastMs: atMs, amount });
  }
}

/** Changes what was put at `atMs` while it still counts; an entry never falls below zero. */
export function correct(counter: Counter, difference: number, atMs: number, nowMs: number): void {
  advance(counter, nowMs);
  const entry = entryAt(counter, atMs);
  // What was brought in by another store can stand in the entry after it; but that of something that counts no longer is gone.
  if (entry === undefined || (entry.firstMs > atMs && nowMs - atMs >= counter.windowMs)) return;
  const change = Math.max(difference, -entry.amount);
  entry.amount += change;
  counter.used += change;
}

/** A loop and no `find`: a function would be made for each counter of each request. */
function entryAt({ entries }: Counter, atMs: number): Entry | undefined {
  for (const entry of entries) if (entry.lastMs >= atMs) return entry;
  return undefined;
}
