import { randomUUID } from "node:crypto";
import type { Limit, LimitVerdict, Reservation, StateStore } from "../../core/state-store.ts";
import { amountOf, WINDOW_MS } from "../../policy/limiter.ts";
import { counterName } from "./counter-name.ts";
import { CORRECT, GRANTED, REFUSED, RESERVE, RESTORE, STANDING, TOO_LATE } from "./limit-scripts.ts";
import { type Counted, createMemoryLimits } from "./memory-limits.ts";
import { createMissedCalls } from "./missed-calls.ts";
import { AWAY, RETURN_MS_MAX, type RunScript, type SharedScripts } from "./shared-scripts.ts";
import { createStoreClock } from "./store-clock.ts";
import { withoutStore } from "./store-loss.ts";

export type RedisLimitsSetup = {
  readonly scripts: SharedScripts;
  readonly monotonicMs: () => number;
  /** How long `scripts` waits for an answer. */
  readonly timeoutMs: number;
};

/** `atMs` is our own clock. */
type SharedReservation = Reservation & {
  /** The store's clock; undefined where it was granted without the store. */
  readonly storeMs: number | undefined;
  /** How often what was granted without the store had been brought there before. */
  readonly returns: number;
};

/** Of the time for an answer, how much there is to decide: the rest is its way back. */
const DECIDE_SHARE = 0.8;

/** Counters brought to the store in one call, which nobody else must wait long for. */
const COUNTERS_AT_ONCE = 100;

/**
 * Limits that several instances share. Beside them it keeps everything that this instance was granted, and decides by that
 * while the store is away. When it is back it is told what was granted meanwhile, and what it has lost.
 */
export function createRedisLimits({
  scripts,
  monotonicMs,
  timeoutMs,
}: RedisLimitsSetup): Pick<StateStore, "reserve" | "reconcile" | "giveBack"> {
  const own = createMemoryLimits(monotonicMs);
  /** A part of `own`: what the store does not know of yet. */
  const untold = createMemoryLimits(monotonicMs);
  const markKey = scripts.keyOf(`granted:${randomUUID()}`);
  let returns = 0;
  const clock = createStoreClock(monotonicMs);
  /** Our moment of the last thing that the store is known to have counted. */
  let markMs = Number.NEGATIVE_INFINITY;
  /** What it had counted after this moment of ours it has lost, and was told again with all corrections. */
  let lostAfterMs = Number.POSITIVE_INFINITY;
  /** What the store was told last, if no answer came. */
  let doubtful: { readonly told: readonly Counted[]; readonly sentMs: number } | undefined;
  let isTelling = false;

  scripts.onReturn(bringInStep);
  // After that: corrections of what was lost are in it.
  const missed = createMissedCalls(scripts, monotonicMs);

  const keyOf = (limit: Limit) => scripts.keyOf(`limit:${counterName(limit)}`);
  /** Nothing is done later: by then it is decided otherwise. */
  const deadline = (sentMs: number, msMax: number) => String(clock.at(sentMs + msMax * DECIDE_SHARE) ?? "");

  function granted(limits: readonly Limit[], tokens: number, atMs: number, storeMs: number | undefined): LimitVerdict {
    const reservation: SharedReservation = { limits, tokens, atMs, storeMs, returns };
    return { kind: "reserved", reservation };
  }

  function decideLocally(limits: readonly Limit[], tokens: number): LimitVerdict {
    const rest = withoutStore(limits, scripts.instances());
    if ("kind" in rest) return rest;
    const verdict = own.reserve(rest, tokens);
    if (verdict.kind === "refused") {
      const { scope, metric, window } = verdict.limit;
      const limit = limits.find((one) => one.scope === scope && one.metric === metric && one.window === window) ?? verdict.limit;
      return { ...verdict, limit };
    }
    const { atMs } = verdict.reservation;
    untold.take(limits, tokens, atMs);
    return granted(limits, tokens, atMs, undefined);
  }

  async function decideTogether(limits: readonly Limit[], tokens: number, isSecond: boolean): Promise<LimitVerdict> {
    const sentMs = monotonicMs();
    const words = limits.flatMap((limit) => [WINDOW_MS[limit.window], limit.limit, amountOf(limit, tokens)]);
    const answer = await scripts.run(
      RESERVE,
      [...limits.map(keyOf), markKey],
      ["", isSecond ? "" : deadline(sentMs, timeoutMs), String(sentMs), ...words.map(String)],
    );
    if (!Array.isArray(answer)) return decideLocally(limits, tokens);
    const [kind, storeMs, index, remaining, retryAfterMs] = answer.map(Number);
    if (storeMs !== undefined) clock.hear(storeMs);
    if (kind === GRANTED) {
      own.take(limits, tokens, sentMs);
      markMs = Math.max(markMs, sentMs);
      return granted(limits, tokens, sentMs, storeMs);
    }
    const limit = limits[index ?? -1];
    if (kind === REFUSED && limit !== undefined)
      return { kind: "refused", limit, remaining: remaining ?? 0, retryAfterMs: retryAfterMs ?? 0 };
    // It answers in time: so it is a clock that was set.
    if (kind === TOO_LATE && !isSecond) return decideTogether(limits, tokens, true);
    return decideLocally(limits, tokens);
  }

  async function bringInStep(run: RunScript): Promise<void> {
    const answer = await run(STANDING, [markKey], [""]);
    if (!Array.isArray(answer)) return;
    clock.hear(Number(answer[0]));
    const keptMs = answer[1] === null ? Number.NEGATIVE_INFINITY : Number(answer[1]);
    lostAfterMs = keptMs < markMs ? keptMs : Number.POSITIVE_INFINITY;
    if (keptMs < markMs) {
      // What is untold or doubtful is in it.
      while (untold.takeOut(COUNTERS_AT_ONCE).length > 0);
      for (const counted of own.countedAfter(keptMs)) untold.bringIn(counted);
      markMs = keptMs;
    } else if (doubtful !== undefined && keptMs < doubtful.sentMs) {
      for (const counted of doubtful.told) untold.bringIn(counted);
    }
    doubtful = undefined;
    await tell(run, RETURN_MS_MAX);
  }

  /** Until the store knows all that was granted without it. */
  async function tell(run: RunScript, msMax: number): Promise<void> {
    if (isTelling) return;
    isTelling = true;
    for (let told = untold.takeOut(COUNTERS_AT_ONCE); told.length > 0; told = untold.takeOut(COUNTERS_AT_ONCE)) {
      const sentMs = monotonicMs();
      const answer = await run(
        RESTORE,
        [...told.map(({ limit }) => keyOf(limit)), markKey],
        ["", deadline(sentMs, msMax), String(sentMs), ...told.flatMap((counted) => wordsOf(counted, sentMs))],
      );
      if (answer === GRANTED) {
        markMs = Math.max(markMs, sentMs);
        continue;
      }
      if (answer === AWAY) doubtful = { told, sentMs };
      else for (const counted of told) untold.bringIn(counted);
      break;
    }
    if (untold.size() === 0 && doubtful === undefined) returns++;
    isTelling = false;
  }

  function correct(reservation: Reservation, differenceOf: (limit: Limit) => number): void {
    const { limits, atMs } = reservation;
    const changed = limits.filter((limit) => differenceOf(limit) !== 0);
    if (changed.length === 0 || !isShared(reservation)) return;
    const storeMs = reservation.storeMs ?? clock.at(atMs) ?? 0;
    const words = changed.flatMap((limit) => [WINDOW_MS[limit.window], differenceOf(limit)]).map(String);
    const call = (run: RunScript) => run(CORRECT, changed.map(keyOf), ["", String(storeMs), ...words]);
    // What is not answered may have been done: it is not told again.
    if (scripts.isUp()) void call(scripts.run);
    else missed.later(async (run) => (atMs > lostAfterMs ? undefined : call(run)));
  }

  /** It was granted without the store, which does not know of it yet. */
  const isUntold = (reservation: Reservation) =>
    isShared(reservation) && reservation.storeMs === undefined && reservation.returns === returns;

  return {
    reserve(limits, tokens) {
      if (limits.length === 0) return granted(limits, tokens, monotonicMs(), undefined);
      if (!scripts.isUp()) return decideLocally(limits, tokens);
      if (untold.size() > 0) void tell(scripts.run, timeoutMs);
      return decideTogether(limits, tokens, false);
    },
    reconcile(reservation, tokens) {
      own.reconcile(reservation, tokens);
      if (isUntold(reservation)) untold.reconcile(reservation, tokens);
      else correct(reservation, ({ metric }) => (metric === "tokens" ? tokens - reservation.tokens : 0));
    },
    giveBack(reservation) {
      own.giveBack(reservation);
      if (isUntold(reservation)) untold.giveBack(reservation);
      else correct(reservation, (limit) => -amountOf(limit, reservation.tokens));
    },
  };
}

function isShared(reservation: Reservation): reservation is SharedReservation {
  return "storeMs" in reservation;
}

function wordsOf({ windowMs, entries }: Counted, nowMs: number): readonly string[] {
  return [windowMs, entries.length, ...entries.flatMap(({ lastMs, amount }) => [Math.floor(nowMs - lastMs), amount])].map(String);
}
