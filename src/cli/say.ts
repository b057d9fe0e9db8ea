import type { Settings } from "../config/settings.ts";
import { message } from "./message.ts";
import { printError } from "./print.ts";

export type Say = (text: string, level: "info" | "warn" | "error") => void;

/** Messages of a running proxy, on standard error in the form of its log: for people, or an object a line. */
export function sayIn({ logFormat }: Pick<Settings, "logFormat">): Say {
  if (logFormat === "pretty") return (text, level) => message[level](text);
  return (text, level) => printError(`${JSON.stringify({ type: "message", level, message: text })}\n`);
}
