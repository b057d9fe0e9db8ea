import type { DialectName } from "../core/dialect.ts";
import { chat } from "./chat.ts";
import { gemini } from "./gemini.ts";
import { messages } from "./messages.ts";
import type { RescueDialect } from "./partial-answer.ts";
import { responses } from "./responses.ts";

export type { Before, ErrorToTell, PartialAnswer, RescueDialect } from "./partial-answer.ts";

export const RESCUES_BY_DIALECT: Readonly<Record<DialectName, RescueDialect>> = { chat, responses, messages, gemini };
