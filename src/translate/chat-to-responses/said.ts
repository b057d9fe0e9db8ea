import { isObject, textOf } from "../../dialects/shared.ts";

/** A text of an answer. Near-miss backends send a number or a truth value for a token that looks like one, or `{text}`. */
export function saidText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return isObject(value) ? (textOf(value.text) ?? "") : "";
}

/** A call's arguments or input. Backends exist that send the object itself in the place of its JSON text. */
export function saidInput(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
