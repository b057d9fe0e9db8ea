import type { BodyFault } from "../core/fault.ts";
import { overDialect } from "./helpers/frames.ts";
import { numberOf } from "./helpers/parameters.ts";
import { rewritten } from "./helpers/rewrite.ts";

export const finishLength: BodyFault = {
  name: "finish_length",
  level: "answer",
  summary: "the answer stops early and says that the output limit was reached",
  terminal: true,
  parameters: {
    after: { type: "integer", default: "5", minimum: 0, summary: "tokens that still come" },
  },
  acts: "body",
  over: "answer",
  start: (context, framing) =>
    overDialect(context, (dialect) => rewritten(framing, dialect.endedByLength(numberOf(context.parameters, "after") ?? 0))),
};
