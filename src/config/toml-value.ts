import type { TomlParsed, ValueKind } from "./value-kinds.ts";

/** Reads a value of the file by its kind. */
export function tomlValue(value: unknown, { tomlTypes, parse, fromToml }: ValueKind<unknown>): TomlParsed<unknown> {
  if (fromToml !== undefined) return fromToml(value);
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  const type = tomlTypes.find((candidate) => candidate === (isList ? "list" : typeof value));
  if (type === undefined) return { ok: false, expected: tomlTypes.map((name) => TYPE_TEXTS[name]).join(" or ") };
  return type === "boolean" ? { ok: true, value } : parse(String(value));
}

const TYPE_TEXTS = { number: "a number", string: "a text in quotes", boolean: "true or false", list: "a list of texts" } as const;
