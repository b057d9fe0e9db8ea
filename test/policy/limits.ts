import type { Limit } from "../../src/core/state-store.ts";

/** A limit of ten requests a minute for all, unless told otherwise. */
export function limit(changes: Partial<Limit> = {}): Limit {
  return { scope: "global", member: "", metric: "requests", window: "minute", limit: 10, onStoreLoss: "share", ...changes };
}
