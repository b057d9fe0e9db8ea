import type { Limit, LimitVerdict, Reservation } from "../../core/state-store.ts";
import { advance, amountOf, giveBack, put, reconcile, reserve } from "../../policy/limiter.ts";
import { createCounterTable, type Member } from "./counter-table.ts";

/** Counters kept at a time: what clients say (keys, users, models) must not fill the memory. Each takes up to some 8 KB. */
export const COUNTERS_MAX = 100_000;

export type MemoryLimits = {
  readonly reserve: (limits: readonly Limit[], tokens: number) => LimitVerdict;
  /** What somebody else has allowed. */
  readonly take: (limits: readonly Limit[], tokens: number) => void;
  readonly reconcile: (reservation: Reservation, tokens: number) => void;
  readonly giveBack: (reservation: Reservation) => void;
  readonly members: () => readonly Member[];
  /** The number of counters. */
  readonly size: () => number;
};

/** The limits of one process. Times are of the clock that is given. */
export function createMemoryLimits(monotonicMs: () => number, countersMax = COUNTERS_MAX): MemoryLimits {
  const table = createCounterTable(countersMax);
  let reservations = 0;

  const known = ({ limits }: Reservation) => limits.map((limit) => table.find(limit)).filter((member) => member !== undefined);

  return {
    reserve(limits, tokens) {
      const nowMs = monotonicMs();
      const held = limits.map((limit) => table.findOrMake(limit));
      const refusal = reserve(held, tokens, nowMs);
      if (refusal !== undefined) return refusal;
      for (const member of held) table.use(member, nowMs);
      return { kind: "reserved", reservation: { id: String(reservations++), limits, tokens, atMs: nowMs } };
    },
    take(limits, tokens) {
      const nowMs = monotonicMs();
      for (const limit of limits) {
        const member = table.findOrMake(limit);
        advance(member, nowMs);
        put(member, amountOf(limit, tokens), nowMs);
        table.use(member, nowMs);
      }
    },
    reconcile: (reservation, tokens) => reconcile(known(reservation), reservation.tokens, tokens, reservation.atMs, monotonicMs()),
    giveBack: (reservation) => giveBack(known(reservation), reservation.tokens, reservation.atMs, monotonicMs()),
    members: table.members,
    size: table.size,
  };
}
