import type { BodyFault } from "../core/fault.ts";
import { overDialect } from "./helpers/frames.ts";
import { INTERRUPTION_AFTER, interruptedAt } from "./helpers/interrupt.ts";
import { numberOf, positionOf } from "./helpers/parameters.ts";

export const stall: BodyFault = {
  name: "stall",
  level: "stream",
  summary: "the stream stops with the connection open, for a time or until the client leaves",
  terminal: true,
  parameters: {
    after: INTERRUPTION_AFTER,
    for: { type: "duration", minimum: 0, summary: "how long; default: for ever" },
  },
  acts: "body",
  over: "frames",
  start: (context) =>
    overDialect(context, (dialect) => {
      const ms = numberOf(context.parameters, "for");
      return interruptedAt(positionOf(context.parameters, "after"), dialect, ms === undefined ? { kind: "hang" } : { kind: "delay", ms });
    }),
};
