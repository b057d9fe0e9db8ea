import type { Limit, LimitVerdict, Reservation } from "../../core/state-store.ts";
import { advance, amountOf, type Entry, giveBack, put, reconcile, reserve } from "../../policy/limiter.ts";
import { createCounterTable, isInTable, type Member } from "./counter-table.ts";

/** Counters kept at a time: what clients say (keys, users, models) must not fill the memory. A new one takes some 300 bytes, one in use all the time up to 5 KB. */
export const COUNTERS_MAX = 250_000;

/** What counts against a limit, to be counted elsewhere. */
export type Counted = { readonly limit: Limit; readonly windowMs: number; readonly entries: readonly Readonly<Entry>[] };

export type MemoryLimits = {
  readonly reserve: (limits: readonly Limit[], tokens: number) => LimitVerdict;
  readonly reconcile: (reservation: Reservation, tokens: number) => void;
  readonly giveBack: (reservation: Reservation) => void;
  /** The number of counters. */
  readonly size: () => number;
  /** Counts what somebody else has allowed. */
  readonly take: (limits: readonly Limit[], tokens: number, atMs: number) => void;
  /** What was counted after a moment. */
  readonly countedAfter: (ms: number) => Iterable<Counted>;
  readonly bringIn: (counted: Counted) => void;
  /** Takes out counters, `countersMax` at most. */
  readonly takeOut: (countersMax: number) => readonly Counted[];
};

/** With its counters, where it was made here. */
type OwnReservation = Reservation & { readonly held?: readonly Member[] };

/** The limits of one process. Times are of the clock that is given. */
export function createMemoryLimits(monotonicMs: () => number, countersMax = COUNTERS_MAX): MemoryLimits {
  const table = createCounterTable(countersMax);

  const known = (reservation: OwnReservation) =>
    reservation.held ?? reservation.limits.map((limit) => table.find(limit)).filter((member) => member !== undefined);

  /** Callers keep their list of limits, and few of its counters go meanwhile. */
  const found = new WeakMap<readonly Limit[], readonly Member[]>();
  function membersOf(limits: readonly Limit[]): readonly Member[] {
    const before = found.get(limits);
    if (before?.every(isInTable)) return before;
    const members = limits.map((limit) => table.findOrMake(limit));
    found.set(limits, members);
    return members;
  }

  function putIn(member: Member, amount: number, atMs: number, nowMs: number): void {
    if (nowMs - atMs >= member.windowMs) return;
    advance(member, nowMs);
    put(member, amount, atMs);
    table.use(member, nowMs);
  }

  return {
    reserve(limits, tokens) {
      const nowMs = monotonicMs();
      const held = membersOf(limits);
      const refusal = reserve(held, tokens, nowMs);
      if (refusal !== undefined) return refusal;
      for (const member of held) table.use(member, nowMs);
      const reservation: OwnReservation = { limits, tokens, atMs: nowMs, held };
      return { kind: "reserved", reservation };
    },
    reconcile: (reservation, tokens) => reconcile(known(reservation), reservation.tokens, tokens, reservation.atMs, monotonicMs()),
    giveBack: (reservation) => giveBack(known(reservation), reservation.tokens, reservation.atMs, monotonicMs()),
    size: table.size,
    take(limits, tokens, atMs) {
      const nowMs = monotonicMs();
      for (const limit of limits) putIn(table.findOrMake(limit), amountOf(limit, tokens), atMs, nowMs);
    },
    *countedAfter(ms) {
      for (const { limit, windowMs, entries } of table.members()) {
        const later = entries.filter(({ lastMs }) => lastMs > ms);
        if (later.length > 0) yield { limit, windowMs, entries: later };
      }
    },
    bringIn({ limit, entries }) {
      const member = table.findOrMake(limit);
      const nowMs = monotonicMs();
      // By its last moment: it counts no shorter than it did.
      for (const { amount, lastMs } of entries) putIn(member, amount, lastMs, nowMs);
    },
    takeOut(most) {
      const some: Member[] = [];
      for (const member of table.members()) if (some.push(member) >= most) break;
      for (const member of some) table.remove(member);
      return some;
    },
  };
}
