import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Limit } from "../../src/core/state-store.ts";
import {
  advance,
  type Counter,
  correct,
  emptyCounter,
  GRAINS,
  giveBack,
  type Held,
  put,
  reconcile,
  reserve,
  waitMs,
} from "../../src/policy/limiter.ts";
import { PROPERTY_OPTIONS } from "../stream/properties.ts";
import { limit } from "./limits.ts";

const MINUTE_MS = 60_000;
const GRAIN_MS = MINUTE_MS / GRAINS;

function held(changes: Partial<Limit> = {}): Held {
  const one = limit(changes);
  return { ...emptyCounter(one.window), limit: one };
}

/** How many of so many requests pass. */
function passing(counters: readonly Held[], requests: number, nowMs: number, tokens = 1): number {
  let passed = 0;
  for (let request = 0; request < requests; request++) if (reserve(counters, tokens, nowMs) === undefined) passed++;
  return passed;
}

/** Keeps every request by itself. */
type Slow = { readonly atMs: number; amount: number; amountMax: number }[];

/** What counts if each counts for exactly a window, and what counts at most if each counts a grain longer. */
function bounds(slow: Slow, nowMs: number): { readonly exact: number; readonly most: number } {
  let exact = 0;
  let most = 0;
  for (const { atMs, amount, amountMax } of slow) {
    const ageMs = nowMs - atMs;
    if (ageMs < MINUTE_MS) {
      exact += amount;
      most += amount;
    } else if (ageMs < MINUTE_MS + GRAIN_MS) most += amountMax;
  }
  return { exact, most };
}

const passes = (used: number, most: number, amount: number) => used <= Math.max(most - amount, 0);

/** Bursts, streams of some hundred milliseconds and long pauses. */
const anyPauseMs = fc.oneof(fc.constant(0), fc.nat({ max: 400 }), fc.nat({ max: 5_000 }), fc.nat({ max: 70_000 }));

const anyEvent = fc.record({
  pauseMs: anyPauseMs,
  kind: fc.constantFrom("ask", "ask", "ask", "reconcile", "give back"),
  tokens: fc.nat({ max: 60 }),
  which: fc.nat({ max: 200 }),
});

describe("any requests, corrections and times", () => {
  test("pass as they would if every one were kept by itself, but for a grain of the window", () => {
    fc.assert(
      fc.property(
        fc.array(anyEvent, { maxLength: 300 }),
        fc.record({ requests: fc.integer({ min: 1, max: 30 }), tokens: fc.integer({ min: 1, max: 400 }) }),
        (events, numbers) => {
          const counters = [held({ limit: numbers.requests }), held({ metric: "tokens", limit: numbers.tokens })];
          const slows: [Slow, Slow] = [[], []];
          const open: { readonly atMs: number; readonly tokens: number; readonly kept: [Slow[number], Slow[number]] }[] = [];
          let nowMs = 0;
          for (const { pauseMs, kind, tokens, which } of events) {
            nowMs += pauseMs;
            const one = kind === "ask" ? undefined : open.splice(which % Math.max(open.length, 1), 1)[0];
            if (one !== undefined && kind === "reconcile") {
              reconcile(counters, one.tokens, tokens, one.atMs, nowMs);
              one.kept[1].amount = tokens;
              one.kept[1].amountMax = Math.max(tokens, one.tokens);
            } else if (one !== undefined) {
              giveBack(counters, one.tokens, one.atMs, nowMs);
              for (const kept of one.kept) kept.amount = 0;
            } else {
              const [requestsUsed, tokensUsed] = [bounds(slows[0], nowMs), bounds(slows[1], nowMs)];
              const before = structuredClone(counters);
              const refusal = reserve(counters, tokens, nowMs);
              if (refusal === undefined) {
                expect(passes(requestsUsed.exact, numbers.requests, 1) && passes(tokensUsed.exact, numbers.tokens, tokens)).toBe(true);
                const kept: [Slow[number], Slow[number]] = [
                  { atMs: nowMs, amount: 1, amountMax: 1 },
                  { atMs: nowMs, amount: tokens, amountMax: tokens },
                ];
                slows[0].push(kept[0]);
                slows[1].push(kept[1]);
                open.push({ atMs: nowMs, tokens, kept });
              } else {
                expect(passes(requestsUsed.most, numbers.requests, 1) && passes(tokensUsed.most, numbers.tokens, tokens)).toBe(false);
                expect(refusal.retryAfterMs).toBeGreaterThan(0);
                expect(refusal.retryAfterMs).toBeLessThanOrEqual(MINUTE_MS);
                // What is refused passes when it was told to come again, and not before, as long as nobody else asks.
                expect(reserve(structuredClone(before), tokens, nowMs + refusal.retryAfterMs)).toBeUndefined();
                expect(reserve(before, tokens, nowMs + refusal.retryAfterMs - 1)).toMatchObject({ retryAfterMs: 1 });
              }
            }
            for (const [index, counter] of counters.entries()) {
              advance(counter, nowMs);
              const { exact, most } = bounds(index === 0 ? slows[0] : slows[1], nowMs);
              expect(counter.used).toBeGreaterThanOrEqual(exact);
              expect(counter.used).toBeLessThanOrEqual(most);
              expectSound(counter, nowMs);
            }
          }
        },
      ),
      PROPERTY_OPTIONS,
    );
  });

  test("in no window do more than the limit pass", () => {
    fc.assert(
      fc.property(fc.array(anyPauseMs, { maxLength: 400 }), fc.integer({ min: 1, max: 40 }), (pauses, most) => {
        const counter = held({ limit: most });
        const passedMs: number[] = [];
        let nowMs = 0;
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          if (reserve([counter], 0, nowMs) === undefined) passedMs.push(nowMs);
        }
        for (const fromMs of passedMs)
          expect(passedMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + MINUTE_MS).length).toBeLessThanOrEqual(most);
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("a clock that jumps either way leaves a sound counter, and nobody waits longer than a window", () => {
    const anyJump = fc.record({
      byMs: fc.integer({ min: -200_000, max: 100_000 }),
      agoMs: fc.nat({ max: 70_000 }),
      amount: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(anyJump, { maxLength: 300 }), (jumps) => {
        const counter = emptyCounter("minute");
        let nowMs = 0;
        for (const { byMs, agoMs, amount } of jumps) {
          nowMs += byMs;
          advance(counter, nowMs);
          expectSound(counter, nowMs);
          expect(waitMs(counter, 1, 1, nowMs)).toBeLessThanOrEqual(MINUTE_MS);
          const used = counter.used;
          put(counter, amount, nowMs - agoMs);
          expect(counter.used).toBe(used + amount);
          correct(counter, -1, nowMs - agoMs, nowMs);
          expectSound(counter, nowMs);
        }
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("what is brought in later counts at least until it is a window old, and at most two grains longer", () => {
    const anyPast = fc.record({ agoMs: fc.nat({ max: MINUTE_MS - 1 }), amount: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(anyPast, { maxLength: 60 }), fc.array(anyPast, { maxLength: 60 }), (own, brought) => {
        const counter = emptyCounter("minute");
        const oldestFirst = (some: typeof own) => some.toSorted((one, other) => other.agoMs - one.agoMs);
        for (const { agoMs, amount } of [...oldestFirst(own), ...oldestFirst(brought)]) put(counter, amount, -agoMs);
        for (let nowMs = 0; nowMs <= MINUTE_MS + 2 * GRAIN_MS; nowMs += 500) {
          advance(counter, nowMs);
          const youngerThan = (ms: number) =>
            [...own, ...brought].filter(({ agoMs }) => nowMs + agoMs < ms).reduce((sum, { amount }) => sum + amount, 0);
          expect(counter.used).toBeGreaterThanOrEqual(youngerThan(MINUTE_MS));
          expect(counter.used).toBeLessThanOrEqual(youngerThan(MINUTE_MS + 2 * GRAIN_MS));
          expectSound(counter, nowMs);
        }
      }),
      PROPERTY_OPTIONS,
    );
  });
});

/** Small, in order, and adding up. */
function expectSound(counter: Counter, nowMs: number): void {
  const { entries } = counter;
  expect(entries.length).toBeLessThanOrEqual(GRAINS + 2);
  expect(counter.used).toBe(entries.reduce((sum, { amount }) => sum + amount, 0));
  for (const [index, { firstMs, lastMs, amount }] of entries.entries()) {
    expect(amount).toBeGreaterThanOrEqual(0);
    expect(firstMs).toBeLessThanOrEqual(lastMs);
    expect(lastMs).toBeLessThanOrEqual(nowMs);
    expect(firstMs - (entries[index - 1]?.firstMs ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(GRAIN_MS);
    expect(firstMs).toBeGreaterThan(entries[index - 1]?.lastMs ?? Number.NEGATIVE_INFINITY);
  }
}

test("a burst: exactly the limit passes, and again when the first of it is a window old", () => {
  const counter = held({ limit: 100 });
  expect(passing([counter], 1_000, 5_000)).toBe(100);
  expect(passing([counter], 1_000, 64_999)).toBe(0);
  expect(passing([counter], 1_000, 65_000)).toBe(100);
});

test("there is no edge at which twice the limit passes", () => {
  const counter = held({ limit: 10 });
  expect(passing([counter], 20, 59_999)).toBe(10);
  expect(passing([counter], 20, 60_001)).toBe(0);
});

test("a limit of a day counts a day long", () => {
  const counter = held({ limit: 2, window: "day" });
  expect(passing([counter], 3, 0)).toBe(2);
  expect(reserve([counter], 0, 3_600_000)).toMatchObject({ remaining: 0, retryAfterMs: 82_800_000 });
  expect(passing([counter], 3, 86_400_000)).toBe(2);
});

test("the refusal names the limit whose next chance is furthest, and takes from none", () => {
  const [minute, tokens, day] = [held({ limit: 2 }), held({ metric: "tokens", limit: 100 }), held({ window: "day", limit: 3 })];
  const all = [minute, tokens, day];
  expect(reserve(all, 40, 0)).toBeUndefined();
  expect(reserve(all, 40, 10_000)).toBeUndefined();
  expect(reserve(all, 40, 20_000)).toEqual({ kind: "refused", limit: minute.limit, remaining: 0, retryAfterMs: 40_000 });
  expect(reserve(all, 70, 20_000)).toEqual({ kind: "refused", limit: tokens.limit, remaining: 20, retryAfterMs: 50_000 });
  expect(all.map(({ used }) => used)).toEqual([2, 80, 2]);
  expect(reserve(all, 40, 60_000)).toBeUndefined();
  // All that passed within the day's grain of 22 minutes counts until the last of it is a day old.
  expect(reserve(all, 1, 60_000)).toMatchObject({ limit: day.limit, retryAfterMs: 86_400_000 });
});

test("a limit that was lowered refuses until enough has gone", () => {
  const counter = held({ limit: 10 });
  expect(passing([counter], 10, 0)).toBe(10);
  const lowered: Held = { ...counter, limit: limit({ limit: 4 }) };
  expect(reserve([lowered], 0, 30_000)).toMatchObject({ remaining: 0, retryAfterMs: 30_000 });
});

describe("tokens", () => {
  const tokens = (most = 100) => held({ metric: "tokens", limit: most });

  test("where nothing counts a request passes whatever its estimate", () => {
    const counter = tokens();
    expect(reserve([counter], 5_000, 0)).toBeUndefined();
    expect(reserve([counter], 1, 1_000)).toMatchObject({ remaining: 0, retryAfterMs: 59_000 });
    expect(reserve([counter], 5_000, 60_000)).toBeUndefined();
  });

  test("what is more than the whole limit waits until nothing counts", () => {
    const counter = tokens();
    reserve([counter], 10, 0);
    reserve([counter], 10, 20_000);
    expect(reserve([counter], 101, 30_000)).toMatchObject({ remaining: 80, retryAfterMs: 50_000 });
  });

  test.each([
    ["fewer than estimated", 90, 30, 70],
    ["more than estimated", 10, 90, 10],
    ["more than the limit", 10, 300, 0],
    ["none", 90, 0, 100],
  ])("real tokens take the estimate's place: %s", (_, estimated, real, remaining) => {
    const counter = tokens();
    reserve([counter], estimated, 1_000);
    reconcile([counter], estimated, real, 1_000, 2_000);
    expect(Math.max(100 - counter.used, 0)).toBe(remaining);
  });

  test("they count from when they were reserved", () => {
    const counter = tokens();
    reserve([counter], 50, 0);
    reserve([counter], 1, 30_000);
    reconcile([counter], 50, 99, 0, 50_000);
    expect(reserve([counter], 2, 50_000)).toMatchObject({ remaining: 0, retryAfterMs: 10_000 });
  });

  test("nothing changes when the reservation counts no longer", () => {
    const counter = tokens();
    reserve([counter], 50, 0);
    reserve([counter], 50, 59_000);
    reconcile([counter], 50, 500, 0, 60_500);
    giveBack([counter], 50, 0, 60_500);
    expect(counter.used).toBe(50);
  });

  test("given back twice it is below zero neither way", () => {
    const counter = tokens();
    reserve([counter], 50, 0);
    giveBack([counter], 50, 0, 10);
    giveBack([counter], 50, 0, 20);
    expect(counter.used).toBe(0);
    expect(passing([counter], 200, 30)).toBe(100);
  });
});

test("real tokens change no limit of requests, and what is given back frees a request", () => {
  const counter = held({ limit: 1 });
  reserve([counter], 50, 0);
  reconcile([counter], 50, 20, 0, 10);
  expect(passing([counter], 1, 20)).toBe(0);
  giveBack([counter], 50, 0, 30);
  expect(passing([counter], 2, 40)).toBe(1);
});

test("a clock that was put back keeps what counts, for a window from then at most", () => {
  const counter = held({ limit: 3 });
  expect(passing([counter], 2, 3_600_000)).toBe(2);
  expect(passing([counter], 2, 1_000)).toBe(1);
  expect(reserve([counter], 0, 1_000)).toMatchObject({ retryAfterMs: 60_000 });
  expect(passing([counter], 5, 61_000)).toBe(3);
});
