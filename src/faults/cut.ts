import type { Action, BodyFault } from "../core/fault.ts";
import { END, overDialect } from "./helpers/frames.ts";
import { INTERRUPTION_AFTER, interruptedAt } from "./helpers/interrupt.ts";
import { positionOf, textOf } from "./helpers/parameters.ts";

const ENDS: Readonly<Record<string, Action>> = { reset: { kind: "reset" }, fin: { kind: "close" }, end: END };

export const cut: BodyFault = {
  name: "cut",
  level: "stream",
  summary: "the stream breaks off: by RST, by FIN, or ended properly without its terminal event",
  terminal: true,
  parameters: {
    after: INTERRUPTION_AFTER,
    by: {
      type: "choice",
      choices: ["reset", "fin", "end"],
      default: "reset",
      summary: "reset: RST; fin: FIN; end: the body ends as if it were whole",
    },
  },
  needsRawSockets: (parameters) => textOf(parameters, "by") === "fin",
  acts: "body",
  over: "frames",
  start: (context) =>
    overDialect(context, (dialect) => {
      const { parameters } = context;
      return interruptedAt(positionOf(parameters, "after"), dialect, ENDS[textOf(parameters, "by") ?? "reset"] ?? END);
    }),
};
