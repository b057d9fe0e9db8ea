import type { UnavailableFault } from "../../core/fault.ts";

/** A wire fault that is listed, so that it is known to be missing, and cannot be had yet. */
export function needsRawSockets(name: string, summary: string): UnavailableFault {
  return {
    name,
    level: "wire",
    summary,
    terminal: true,
    parameters: {},
    acts: "unavailable",
    needs: "needs the raw-socket engine, which this version does not have",
  };
}
