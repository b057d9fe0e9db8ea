import type { FaultproxyEvent } from "../core/event.ts";
import { EVENTS_KEPT_MAX } from "../core/limits.ts";

export type EventLog = {
  readonly add: (event: FaultproxyEvent) => void;
  /** The last events, oldest first. */
  readonly kept: () => readonly FaultproxyEvent[];
  /** Calls back for each new event; gives the function that ends it. */
  readonly subscribe: (listener: (event: FaultproxyEvent) => void) => () => void;
};

export function createEventLog(): EventLog {
  const ring: FaultproxyEvent[] = [];
  let oldest = 0;
  const listeners = new Set<(event: FaultproxyEvent) => void>();
  return {
    add(event) {
      if (ring.length < EVENTS_KEPT_MAX) ring.push(event);
      else {
        ring[oldest] = event;
        oldest = (oldest + 1) % EVENTS_KEPT_MAX;
      }
      for (const listener of listeners) listener(event);
    },
    kept: () => [...ring.slice(oldest), ...ring.slice(0, oldest)],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
