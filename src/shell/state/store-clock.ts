/** The store's clock as seen from here. */
export type StoreClock = {
  /** An answer with this time of the store's has just come. */
  readonly hear: (storeMs: number) => void;
  /** What the store's clock showed, or shows, at this moment of ours: never ahead of it. Undefined while nothing was heard. */
  readonly at: (ownMs: number) => number | undefined;
};

/** Two clocks drift apart by some milliseconds a minute, and either can be set. */
const REMEMBERED_MS = 10_000;

/** An answer was on its way for some time, so the store's clock is further on than it says; the quickest of the last ones says most. */
export function createStoreClock(monotonicMs: () => number): StoreClock {
  let newest = { sinceMs: Number.NEGATIVE_INFINITY, offsetMs: Number.NEGATIVE_INFINITY };
  let older = newest;
  return {
    hear(storeMs) {
      const nowMs = monotonicMs();
      const offsetMs = storeMs - nowMs;
      if (nowMs - newest.sinceMs > REMEMBERED_MS) {
        older = nowMs - newest.sinceMs > 2 * REMEMBERED_MS ? { sinceMs: nowMs, offsetMs } : newest;
        newest = { sinceMs: nowMs, offsetMs };
      } else if (offsetMs > newest.offsetMs) newest = { ...newest, offsetMs };
    },
    at(ownMs) {
      const offsetMs = Math.max(newest.offsetMs, older.offsetMs);
      return offsetMs === Number.NEGATIVE_INFINITY ? undefined : Math.floor(ownMs + offsetMs);
    },
  };
}
