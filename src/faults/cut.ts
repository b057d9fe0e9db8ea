import type { BodyFault } from "../core/fault.ts";
import { END, overDialect } from "./helpers/frames.ts";
import { INTERRUPTION_AFTER, interruptedAt } from "./helpers/interrupt.ts";
import { positionOf, textOf } from "./helpers/parameters.ts";

export const cut: BodyFault = {
  name: "cut",
  level: "stream",
  summary: "the stream breaks off: by a reset, or ended properly without its terminal event",
  terminal: true,
  parameters: {
    after: INTERRUPTION_AFTER,
    by: { type: "choice", choices: ["reset", "end"], default: "reset", summary: "reset: RST; end: the body ends as if it were whole" },
  },
  acts: "body",
  over: "frames",
  start: (context) =>
    overDialect(context, (dialect) => {
      const { parameters } = context;
      return interruptedAt(positionOf(parameters, "after"), dialect, textOf(parameters, "by") === "end" ? END : { kind: "reset" });
    }),
};
