import { describe, expect, test } from "bun:test";
import { FAULT_LEVELS } from "../../src/core/fault.ts";
import { FAULTS, faultByName, variantsOf } from "../../src/faults/index.ts";
import { parseParameter } from "../../src/rules/values.ts";
import { FAKE_DIALECT, FAKE_PROVIDER } from "./fakes.ts";

describe("the list of faults", () => {
  test("is sorted by level and has no name or letter twice", () => {
    const levels = FAULTS.map(({ level }) => FAULT_LEVELS.indexOf(level));
    expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    const words = FAULTS.flatMap(({ name, letter }) => [name, letter ?? `${name}!`]);
    expect(new Set(words).size).toBe(words.length);
  });

  test.each([
    ["c", "context_length"],
    ["R", "rate_limit"],
    ["u", "server_error"],
    ["o", "overloaded"],
    ["a", "auth"],
    ["b", "quota"],
    ["Rate-Limit", "rate_limit"],
    ["hang_after_headers", "hang_after_headers"],
  ])("%s is %s", (typed, name) => {
    expect(faultByName(typed)?.name).toBe(name);
  });

  test.each(["", "n", "q", "rate limit", "toString"])("%p is none", (typed) => {
    expect(faultByName(typed)).toBeUndefined();
  });

  test.each(FAULTS.map((fault) => [fault.name, fault] as const))("%s: every default is a value that its key takes", (_name, fault) => {
    for (const [key, spec] of Object.entries(fault.parameters)) {
      expect(key).toMatch(/^[a-z]+(_[a-z]+)*$/);
      if (spec.default !== undefined) expect([key, parseParameter(key, spec, spec.default).ok]).toEqual([key, true]);
    }
  });

  test("what only delays or paces is not terminal", () => {
    expect(FAULTS.filter(({ terminal }) => !terminal).map(({ name }) => name)).toEqual(["latency", "slow", "slow_head", "slow_tokens"]);
  });
});

test("variants are those of all providers and dialects, each once", () => {
  const providers = [FAKE_PROVIDER, { ...FAKE_PROVIDER, streamErrors: { chat: FAKE_DIALECT.streamErrors } }];
  const dialects = { chat: FAKE_DIALECT, responses: FAKE_DIALECT, messages: FAKE_DIALECT, gemini: FAKE_DIALECT };
  const variants = (name: string) => FAULTS.filter((fault) => fault.name === name).map((fault) => variantsOf(fault, providers, dialects));
  expect(variants("rate_limit")).toEqual([["tokens", "told_in_body", "page"]]);
  expect(variants("error_event")).toEqual([["plain", "bare"]]);
  expect(variants("cut")).toEqual([[]]);
});
