import { expect, test } from "bun:test";
import fc from "fast-check";
import { withoutCredentials } from "../../src/config/upstream.ts";

test.each([
  ["https://host/v1", "https://host/v1"],
  ["openai=https://user:password@host/v1", "openai=https://…@host/v1"],
  ["https://user:pass@word@host/", "https://…@host/"],
  ["https://user:pass/word@host/", "https://…@host/"],
  ["openai=user:password@host", "…@host"],
  ["https://host/v1?key=password", "https://host/v1?…"],
  ["https://host/v1#password", "https://host/v1#…"],
  ["https://user:pass?word@host/", "https://…"],
  ["user:pass//word@host", "…@host"],
  ["https://host/?key=pass@word", "https://…"],
])("%s is shown as %s", (text, shown) => {
  expect(withoutCredentials(text)).toBe(shown);
});

test("whatever stands before an @ or in a query is not shown", () => {
  const scheme = fc.constantFrom("", "http://", "openai=https://", "//", "x=");
  fc.assert(
    fc.property(scheme, fc.string(), fc.string(), (before, left, right) => {
      expect(withoutCredentials(`${before}${left}SECRET${right}@host`)).not.toContain("SECRET");
      expect(withoutCredentials(`${before}host/${left}?${right}SECRET`)).not.toContain("SECRET");
    }),
  );
});
