import fc from "fast-check";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where each value stands. */
export function placesOf(value: Json, at: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  const members = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return [at, ...members.flatMap(([key, member]) => placesOf(member as Json, [...at, key]))];
}

/** The same with another value at a place; undefined takes it away. */
export function withValue(value: Json, [key, ...rest]: readonly (string | number)[], other: Json | undefined): Json | undefined {
  if (key === undefined) return other;
  const member = withValue((value as Record<string, Json>)[key] as Json, rest, other);
  if (Array.isArray(value))
    return value.flatMap((one, index) => (String(index) === String(key) ? (member === undefined ? [] : [member]) : [one]));
  const { [key]: _, ...others } = value as Record<string, Json>;
  return member === undefined ? others : { ...others, [key]: member };
}

export const ANY_VALUE: fc.Arbitrary<Json | undefined> = fc.oneof(
  fc.constantFrom<Json | undefined>(
    undefined,
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    "",
    "x",
    "\u0000",
    "\ud800",
    [],
    {},
    [[]],
    [null],
    { type: "x" },
    "__proto__",
  ),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);
