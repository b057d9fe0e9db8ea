import type { Framing } from "../../core/frame.ts";

/** The first half of a JSON text, never half a character. The half of an object never parses. */
export function cutInTheMiddle(text: string): string {
  const middle = Math.ceil(text.length / 2);
  const splitsPair = /[\uD800-\uDBFF]/.test(text.charAt(middle - 1));
  return text.slice(0, splitsPair ? middle - 1 : middle);
}

/**
 * One payload that does not parse and leaves its neighbours alone. Half an element would swallow the rest of a JSON
 * array, so there a colon is missing and the brackets stay balanced.
 */
export function brokenPayload(framing: Framing, data: string): string {
  return framing.name === "json-array" && data.includes(":") ? data.replace(":", "") : cutInTheMiddle(data);
}

/** A terminator such as `[DONE]` is no JSON object and cannot be broken. */
export function isObjectText(data: string | undefined): data is string {
  return data?.trimStart().startsWith("{") ?? false;
}
