import { isObject, type JsonObject } from "../../dialects/shared.ts";

/**
 * Does the target hold an answer to this schema? It refuses objects that are open, most limits, and schemas that hold
 * themselves (Anthropic's documentation, Structured outputs; what its SDK takes out of a schema).
 */
export function isTakenSchema(schema: JsonObject): boolean {
  const definitions = new Map<string, unknown>(
    DEFINITIONS.flatMap((key) => entriesOf(schema[key]).map(([name, value]) => [`#/${key}/${name}`, value] as const)),
  );
  const taken = new Set<string>();
  const open = new Set<string>();

  const isTakenReference = (reference: unknown): boolean => {
    if (typeof reference !== "string" || !definitions.has(reference)) return false;
    if (taken.has(reference)) return true;
    if (open.has(reference) || open.size >= REFERENCES_MAX) return false;
    open.add(reference);
    if (!isTaken(definitions.get(reference))) return false;
    open.delete(reference);
    taken.add(reference);
    return true;
  };
  const isTaken = (value: unknown): boolean => {
    if (!isObject(value) || Object.keys(value).some((key) => !KEYS.has(key))) return false;
    if (value.$ref !== undefined) return isTakenReference(value.$ref);
    const isOpen = isOfType(value, "object") && value.additionalProperties !== false;
    if (isOpen || !saysWhat(value) || !isTakenLimit(value)) return false;
    const inner = [
      ...entriesOf(value.properties).map(([, property]) => property),
      ...(value.items === undefined ? [] : [value.items]),
      ...LISTS.flatMap((key) => (Array.isArray(value[key]) ? value[key] : [])),
    ];
    return inner.every(isTaken);
  };
  return isTaken(schema) && [...definitions.keys()].every(isTakenReference);
}

/** One inside the other; deeper than any schema that a model could answer to. */
const REFERENCES_MAX = 64;

const DEFINITIONS = ["$defs", "definitions"] as const;
const LISTS = ["anyOf", "allOf"] as const;

const KEYS: ReadonlySet<string> = new Set([
  ...DEFINITIONS,
  ...LISTS,
  "$ref",
  "$schema",
  "additionalProperties",
  "const",
  "default",
  "description",
  "enum",
  "format",
  "items",
  "minItems",
  "properties",
  "required",
  "title",
  "type",
]);

const FORMATS: ReadonlySet<unknown> = new Set([
  "date",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "time",
  "uri",
  "uuid",
]);

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isObject(value) ? Object.entries(value) : [];
}

function isOfType({ type, properties }: JsonObject, name: string): boolean {
  return type === name || (Array.isArray(type) && type.includes(name)) || (name === "object" && properties !== undefined);
}

function saysWhat(schema: JsonObject): boolean {
  return ["type", "enum", "const", ...LISTS].some((key) => schema[key] !== undefined);
}

function isTakenLimit({ format, minItems }: JsonObject): boolean {
  return (format === undefined || FORMATS.has(format)) && (minItems === undefined || minItems === 0 || minItems === 1);
}
