import type { DialectName } from "../core/dialect.ts";
import { chat } from "./chat.ts";
import { messages } from "./messages.ts";
import type { RescueDialect } from "./partial-answer.ts";

export type { Before, ErrorToTell, PartialAnswer, RescueDialect } from "./partial-answer.ts";

export const RESCUES_BY_DIALECT: Readonly<Record<Extract<DialectName, "chat" | "messages">, RescueDialect>> = { chat, messages };
