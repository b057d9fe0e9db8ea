import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { isTooDeep, TEXT_CHARACTERS_MAX } from "../limits.ts";
import type { Notes } from "./notes.ts";

/**
 * Readers of single values. They take null for "not given", as the service does for what is optional, and note what is
 * wrong in its words, which are pydantic's: `max_tokens: Field required`, `stream: Input should be a valid boolean`.
 */
export type Kind<T> = { readonly is: (value: unknown) => value is T; readonly name: string };

export const STRING: Kind<string> = { is: (value) => typeof value === "string", name: "string" };
export const BOOLEAN: Kind<boolean> = { is: (value) => typeof value === "boolean", name: "boolean" };
export const NUMBER: Kind<number> = { is: (value): value is number => typeof value === "number" && Number.isFinite(value), name: "number" };
export const INTEGER: Kind<number> = { is: (value): value is number => Number.isSafeInteger(value), name: "integer" };
export const DICTIONARY: Kind<JsonObject> = { is: isObject, name: "dictionary" };
export const LIST: Kind<readonly unknown[]> = { is: (value) => Array.isArray(value), name: "list" };

/** Undefined where it is not given, and, with a note, where it is something else. */
export function optional<T>(notes: Notes, value: unknown, place: string, kind: Kind<T>): T | undefined {
  if (value === undefined || value === null) return undefined;
  if (kind.is(value)) return value;
  notes.wrong(place, `Input should be a valid ${kind.name}`, "invalid_type");
  return undefined;
}

/** The same with a note where it is not given. */
export function required<T>(notes: Notes, value: unknown, place: string, kind: Kind<T>): T | undefined {
  if (value === undefined || value === null) notes.wrong(place, "Field required", "missing_required_parameter");
  return optional(notes, value, place, kind);
}

/** A text for the model; empty where something is wrong with it. */
export function requiredText(notes: Notes, value: unknown, place: string): string {
  const text = required(notes, value, place, STRING) ?? "";
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  notes.wrong(place, `String should have at most ${TEXT_CHARACTERS_MAX} characters`, "string_above_max_length");
  return "";
}

/** JSON of the client's own making, such as a schema, that goes on as it is. */
export function requiredJson(notes: Notes, value: unknown, place: string): JsonObject {
  const json = required(notes, value, place, DICTIONARY) ?? {};
  if (!isTooDeep(json)) return json;
  notes.wrong(place, "Input is nested too deeply");
  return {};
}

/** The value of `type` where it is one of these, else a note. */
export function tagOf<T extends string>(notes: Notes, object: JsonObject, place: string, tags: readonly T[]): T | undefined {
  const type = required(notes, object.type, `${place}.type`, STRING);
  if (type === undefined) return undefined;
  const tag = tags.find((known) => known === type);
  if (tag === undefined) {
    const expected = tags.map((known) => `'${known}'`).join(", ");
    notes.wrong(place, `Input tag '${clipped(type)}' found using 'type' does not match any of the expected tags: ${expected}`);
  }
  return tag;
}

const WORD_CHARACTERS_MAX = 100;

/** What a client wrote, short enough to stand in a message. */
export function clipped(word: string): string {
  return word.length <= WORD_CHARACTERS_MAX ? word : `${word.slice(0, WORD_CHARACTERS_MAX)}…`;
}

/** Names the keys of an object that are not read. `prefix` is `messages.` or `tools.`; a hint for caching has one name wherever it stands. */
export function dropOthers(notes: Notes, object: JsonObject, read: readonly string[], prefix: string): void {
  for (const [key, value] of Object.entries(object)) {
    if (key === "type" || read.includes(key) || isOff(value)) continue;
    notes.drop(key === "cache_control" ? key : `${prefix}${key}`);
  }
}

/** Says nothing that the target would have to be told. */
function isOff(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === null || value === false || (isObject(value) && value.enabled === false);
}
