import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { isTooDeep, NESTING_LEVELS_MAX, TEXT_CHARACTERS_MAX } from "../limits.ts";
import type { Findings } from "./findings.ts";

/** Gives the value where it is of the kind asked for; otherwise writes down the mistake, in OpenAI's words, and gives undefined. */
export type Check<T> = (value: unknown, param: string, findings: Findings) => T | undefined;

/** A wrong value is repeated to the client as far as this. */
const QUOTED_CHARACTERS_MAX = 100;

/** Null counts as not given, as in OpenAI's API. */
export function optional<T>(check: Check<T>): Check<T> {
  return (value, param, findings) => (value === undefined || value === null ? undefined : check(value, param, findings));
}

export function required<T>(check: Check<T>): Check<T> {
  return (value, param, findings) => (value === undefined ? missing(param, findings) : check(value, param, findings));
}

export const text: Check<string> = (value, param, findings) =>
  typeof value === "string" ? value : wrongType("a string", value, param, findings);

/** A text that stands for something, such as a name or an id. */
export const filledText: Check<string> = (value, param, findings) =>
  value === ""
    ? findings.wrong(
        "empty_string",
        param,
        `Invalid '${param}': empty string. Expected a string with minimum length 1, but got an empty string instead.`,
      )
    : text(value, param, findings);

/** A text of the conversation, of bounded length. */
export const messageText: Check<string> = (value, param, findings) => {
  if (typeof value !== "string" || value.length <= TEXT_CHARACTERS_MAX) return text(value, param, findings);
  return findings.wrong(
    "string_above_max_length",
    param,
    `Invalid '${param}': string too long. Expected a string with maximum length ${TEXT_CHARACTERS_MAX}, but got a string with length ${value.length} instead.`,
  );
};

export const flag: Check<boolean> = (value, param, findings) =>
  typeof value === "boolean" ? value : wrongType("a boolean", value, param, findings);

export const decimal: Check<number> = (value, param, findings) =>
  typeof value === "number" ? value : wrongType("a decimal", value, param, findings);

export function integer(min = Number.NEGATIVE_INFINITY): Check<number> {
  return (value, param, findings) => {
    if (typeof value !== "number" || !Number.isInteger(value)) return wrongType("an integer", value, param, findings);
    if (value >= min) return value;
    const message = `Invalid '${param}': integer below minimum value. Expected a value >= ${min}, but got ${value} instead.`;
    return findings.wrong("integer_below_min_value", param, message);
  };
}

export const object: Check<JsonObject> = (value, param, findings) =>
  isObject(value) ? value : wrongType("an object", value, param, findings);

/** An object that goes on as it came. */
export const keptObject: Check<JsonObject> = (value, param, findings) => {
  const found = object(value, param, findings);
  if (found === undefined || !isTooDeep(found)) return found;
  return findings.wrong("invalid_value", param, `Invalid '${param}': it is nested deeper than ${NESTING_LEVELS_MAX} levels.`);
};

/** `of` is what the elements are: `objects`, `strings`. */
export function list(of: string): Check<readonly unknown[]> {
  return (value, param, findings) => (Array.isArray(value) ? value : wrongType(`an array of ${of}`, value, param, findings));
}

export function filledList(of: string): Check<readonly unknown[]> {
  return (value, param, findings) =>
    Array.isArray(value) && value.length === 0 ? emptyList(param, findings) : list(of)(value, param, findings);
}

/** One of these words; the empty list of words allows none. */
export function oneOf<const T extends string>(words: readonly T[]): Check<T> {
  return (value, param, findings) => {
    const found = text(value, param, findings);
    if (found === undefined) return undefined;
    return words.find((word) => word === found) ?? unsupported(found, words, param, findings);
  };
}

export function unsupported(value: string, words: readonly string[], param: string, findings: Findings): undefined {
  return findings.wrong("invalid_value", param, `Invalid value: '${quoted(value)}'. ${supported(words)}`);
}

function supported(words: readonly string[]): string {
  const quotedWords = words.map((word) => `'${word}'`);
  if (quotedWords.length < 2) return `Supported values are: ${quotedWords.join("")}.`;
  if (quotedWords.length === 2) return `Supported values are: ${quotedWords.join(" and ")}.`;
  return `Supported values are: ${quotedWords.slice(0, -1).join(", ")}, and ${quotedWords.at(-1)}.`;
}

export function missing(param: string, findings: Findings): undefined {
  return findings.wrong("missing_required_parameter", param, `Missing required parameter: '${param}'.`);
}

export function emptyList(param: string, findings: Findings): undefined {
  const message = `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`;
  return findings.wrong("empty_array", param, message);
}

export function wrongType(expected: string, value: unknown, param: string, findings: Findings): undefined {
  return findings.wrong("invalid_type", param, `Invalid type for '${param}': expected ${expected}, but got ${kindOf(value)} instead.`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function quoted(value: string): string {
  return value.length <= QUOTED_CHARACTERS_MAX ? value : `${value.slice(0, QUOTED_CHARACTERS_MAX)}…`;
}

/** Names the keys that nothing is made of, unless their value says nothing. `prefix` is the place without numbers: `messages`. */
export function dropOthers(holder: JsonObject, known: ReadonlySet<string>, prefix: string, findings: Findings): void {
  for (const key of Object.keys(holder)) if (!known.has(key) && saysSomething(holder[key])) findings.drop(`${prefix}.${key}`);
}

function saysSomething(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}
