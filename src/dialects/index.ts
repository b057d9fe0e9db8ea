import type { Dialect, DialectName } from "../core/dialect.ts";
import { chat } from "./chat.ts";
import { gemini } from "./gemini.ts";
import { messages } from "./messages.ts";
import { responses } from "./responses.ts";

export { ERROR_MEMBER, toldAtEnd } from "./told-at-end.ts";
export { answeredModel, mayHoldUsage, usageOfUnknown } from "./usage.ts";

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = { chat, responses, messages, gemini };

const ALL: readonly Dialect[] = Object.values(DIALECTS);

/** The dialect that a path (no query, no prefix of ours) is the inference endpoint of. */
export function dialectOfPath(path: string): Dialect | undefined {
  return ALL.find((dialect) => dialect.matches(path));
}
