import { expect, test } from "bun:test";
import { nearest } from "../../src/core/nearest.ts";

const FAULTS = ["context_length", "content_filter", "rate_limit", "overloaded", "cut", "stall", "n", "q", "add", "ls"];

test.each([
  ["rate_limti", "rate_limit"],
  ["ratelimit", "rate_limit"],
  ["contxt", "context_length"],
  ["context", "context_length"],
  ["over", "overloaded"],
  ["ct", "cut"],
  ["tsall", "stall"],
  ["CUTT", "cut"],
  ["zzzzzz", undefined],
  ["xy", undefined],
])("%s means %p", (typed, meant) => {
  expect(nearest(typed, FAULTS)).toBe(meant as string);
});
