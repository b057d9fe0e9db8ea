import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { isTooDeep, NESTING_LEVELS_MAX, TEXT_CHARACTERS_MAX } from "../limits.ts";
import type { RequestMistake } from "../translation.ts";

/** Found one after the other; the first one is what the client is told. */
export type Mistakes = Generator<RequestMistake, void, void>;

export function mistake(param: string | null, code: string | null, message: string): RequestMistake {
  return { kind: "mistake", status: 400, message, param, code };
}

/** `expected` with its article: `a string`, `one of a string or an array`. */
export function wrongType(param: string, expected: string, value: unknown): RequestMistake {
  return mistake(param, "invalid_type", `Invalid type for '${param}': expected ${expected}, but got ${kindOf(value)} instead.`);
}

export function wrongValue(param: string, value: string, supported: readonly string[]): RequestMistake {
  const list = supported.map((word) => `'${word}'`).join(", ");
  return mistake(param, "invalid_value", `Invalid value: '${value.slice(0, VALUE_CHARACTERS_MAX)}'. Supported values are: ${list}.`);
}

export function missing(param: string): RequestMistake {
  return mistake(param, "missing_required_parameter", `Missing required parameter: '${param}'.`);
}

/** Longer values are not what somebody mistyped. */
const VALUE_CHARACTERS_MAX = 64;

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal number";
  if (typeof value === "boolean") return "a boolean";
  return typeof value === "string" ? "a string" : "an object";
}

/** A text that must be there; empty is a text too. */
export function* textMistakes(holder: JsonObject, key: string, place: string): Mistakes {
  const value = holder[key];
  if (value === undefined) yield missing(`${place}.${key}`);
  else if (typeof value !== "string") yield wrongType(`${place}.${key}`, "a string", value);
  else yield* lengthMistakes(value, `${place}.${key}`);
}

/** A name or an id: must be there and say something. */
export function* nameMistakes(holder: JsonObject, key: string, place: string): Mistakes {
  const value = holder[key];
  if (value === undefined || value === null || value === "") yield missing(`${place}.${key}`);
  else if (typeof value !== "string") yield wrongType(`${place}.${key}`, "a string", value);
}

export function* lengthMistakes(text: string, param: string): Mistakes {
  if (text.length <= TEXT_CHARACTERS_MAX) return;
  const message = `Invalid '${param}': string too long. Expected a string with maximum length ${TEXT_CHARACTERS_MAX}, but got a string with length ${text.length} instead.`;
  yield mistake(param, "string_above_max_length", message);
}

export function* depthMistakes(value: unknown, param: string): Mistakes {
  if (isTooDeep(value)) yield mistake(param, "invalid_value", `Invalid '${param}': nested deeper than ${NESTING_LEVELS_MAX} levels.`);
}

const TYPES = {
  array: { words: "an array", fits: Array.isArray },
  boolean: { words: "a boolean", fits: (value: unknown) => typeof value === "boolean" },
  integer: { words: "an integer", fits: Number.isInteger },
  number: { words: "a number", fits: (value: unknown) => typeof value === "number" },
  object: { words: "an object", fits: isObject },
  string: { words: "a string", fits: (value: unknown) => typeof value === "string" },
} as const;

export type TypeName = keyof typeof TYPES;

/** A parameter that may be left out or null. */
export function* optionalMistakes(value: unknown, type: TypeName, param: string): Mistakes {
  const { words, fits } = TYPES[type];
  if (value !== undefined && value !== null && !fits(value)) yield wrongType(param, words, value);
}
