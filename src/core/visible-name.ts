import { remembered } from "./remembered.ts";

/** Longer names are cut: they stand in headers, metrics and memory. */
const NAME_CHARACTERS_MAX = 128;

/** The name of a model, which comes with every request. */
export const namedModel = remembered((text) => named(text));

/** A name from the wire as it can stand in a header field (RFC 9110 section 5.5) or a label. */
export function named(text: string, encoding: "latin1" | "utf8" = "utf8"): string {
  const name = escaped(text.length > NAME_CHARACTERS_MAX ? text.slice(0, NAME_CHARACTERS_MAX) : text, encoding);
  if (text.length <= NAME_CHARACTERS_MAX && name.length <= NAME_CHARACTERS_MAX) return name;
  // A part of a text keeps the whole in memory, and a name may be of megabytes: it is copied.
  return Buffer.from(name, "latin1").toString("latin1", 0, NAME_CHARACTERS_MAX);
}

/** Other characters as the bytes of their UTF-8, with a percent sign before each: two names stay two. */
export function visibleAscii(text: string): string {
  return escaped(text, "utf8");
}

/** Fields are bytes, one a character (RFC 9110 section 5.5); JSON is text. */
function escaped(text: string, encoding: "latin1" | "utf8"): string {
  if (/^[!-~]*$/.test(text)) return text;
  const percent = (byte: number) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return text.replace(/[^!-~]+/g, (others) => Array.from(Buffer.from(others, encoding), percent).join(""));
}
