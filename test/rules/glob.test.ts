import { expect, test } from "bun:test";
import fc from "fast-check";
import { globMatches } from "../../src/rules/glob.ts";

test.each([
  ["gpt-4*", "gpt-4o-mini", true],
  ["gpt-4*", "GPT-4", true],
  ["gpt-4?", "gpt-4o", true],
  ["gpt-4?", "gpt-4", false],
  ["*o*i", "gpt-4o-mini", true],
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["a.c", "abc", false],
  ["/v1/*", "/v1/models", true],
])("%s against %s", (glob, text, matches) => {
  expect(globMatches(glob, text)).toBe(matches);
});

test("agrees with the regular expression that says the same", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 }), (glob, text) => {
      const expected = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(text);
      expect(globMatches(glob, text)).toBe(expected);
    }),
    { numRuns: 5_000 },
  );
});

test("a glob of many stars takes no exponential time", () => {
  expect(globMatches(`${"a*".repeat(50)}b`, "a".repeat(2_000))).toBe(false);
});
