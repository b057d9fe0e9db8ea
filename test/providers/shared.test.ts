import { expect, test } from "bun:test";
import { decimalSeconds, goDuration, grouped, rfc3339, tokensOwed, wholeSeconds } from "../../src/providers/shared.ts";

test.each([
  [0, "0s"],
  [0.02, "20ms"],
  [0.9996, "1s"],
  [1, "1s"],
  [1.876, "1.876s"],
  [11.054, "11.054s"],
  [60, "1m0s"],
  [179.56, "2m59.56s"],
  [360, "6m0s"],
  [578.016, "9m38.016s"],
  [3600, "1h0m0s"],
  [86_400, "24h0m0s"],
])("%d s is %s as a Go duration", (seconds, text) => {
  expect(goDuration(seconds)).toBe(text);
});

test.each([
  [0, 1],
  [0.2, 1],
  [2, 2],
  [2.01, 3],
])("retry-after for %d s is %d", (seconds, whole) => {
  expect(wholeSeconds(seconds)).toBe(whole);
});

test.each([
  [34.4, "34.4"],
  [20.04466179, "20.04466179"],
  [20, "20"],
  [100, "100"],
  [1e-7, "0.0000001"],
])("%d s in prose is %s", (seconds, text) => {
  expect(decimalSeconds(seconds)).toBe(text);
});

test("a reset in the middle of a second is told as the next one", () => {
  expect(rfc3339(Date.UTC(2026, 1, 8, 12, 34, 59, 1))).toBe("2026-02-08T12:35:00Z");
  expect(rfc3339(Date.UTC(2026, 1, 8, 12, 35, 0, 0))).toBe("2026-02-08T12:35:00Z");
});

test("thousands are grouped", () => {
  expect([999, 1_000, 30_000, 1_048_575].map(grouped)).toEqual(["999", "1,000", "30,000", "1,048,575"]);
});

test("the tokens owed are those that refill in the wait", () => {
  expect(tokensOwed(2, 30_000)).toBe(1_000);
  expect(tokensOwed(11.054, 30_000)).toBe(5_527);
});
