import type { BodyFault } from "../core/fault.ts";
import { overDialect } from "./helpers/frames.ts";
import { rewritten } from "./helpers/rewrite.ts";

export const usageMissing: BodyFault = {
  name: "usage_missing",
  level: "answer",
  summary: "the answer does not say how many tokens it used",
  terminal: true,
  parameters: {},
  acts: "body",
  over: "answer",
  start: (context, framing) => overDialect(context, (dialect) => rewritten(framing, dialect.withoutUsage())),
};
