import type { FaultproxyEvent } from "../core/event.ts";

/** How many exchanges there were, how many met a fault, and how many run. */
export type ExchangeCounts = {
  /** The number of a request that comes now; 1 for the first. */
  readonly nextId: () => number;
  readonly begun: () => void;
  readonly note: (event: FaultproxyEvent) => void;
  readonly now: () => { readonly requests: number; readonly injections: number; readonly running: number };
};

export function createExchangeCounts(): ExchangeCounts {
  let requests = 0;
  let injections = 0;
  let running = 0;
  return {
    nextId: () => ++requests,
    begun() {
      running++;
    },
    note(event) {
      if (event.type === "decision" && event.injected) injections++;
      if (event.type === "exchange") {
        running--;
        // Planned, and then nothing could be done.
        injections -= event.skipped.length;
      }
    },
    now: () => ({ requests, injections, running }),
  };
}
