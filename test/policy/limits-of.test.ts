import { describe, expect, test } from "bun:test";
import type { Caller } from "../../src/core/state-store.ts";
import { type LimitOverride, type LimitSettings, limitsOf } from "../../src/policy/limits-of.ts";

const caller: Caller = { provider: "openai", model: "gpt-4o", key: "0123456789ab", user: "Alice" };

function settings(overrides: readonly LimitOverride[], changes: Partial<LimitSettings> = {}): LimitSettings {
  return { requestsPerMinute: 0, tokensPerMinute: 0, requestsPerDay: 0, tokensPerDay: 0, onStoreLoss: "share", overrides, ...changes };
}

/** `scope:member metric/window limit`, in order. */
function told(of: LimitSettings, changes: Partial<Caller> = {}): readonly string[] {
  return limitsOf(of, { ...caller, ...changes }).map(
    ({ scope, member, metric, window, limit }) => `${scope}:${member} ${metric}/${window} ${limit}`,
  );
}

test("nothing is limited unless it is said", () => {
  expect(told(settings([]))).toEqual([]);
});

test("the four numbers hold for all requests together", () => {
  const four = settings([], { requestsPerMinute: 1, tokensPerMinute: 2, requestsPerDay: 3, tokensPerDay: 4 });
  const all = ["global: requests/minute 1", "global: tokens/minute 2", "global: requests/day 3", "global: tokens/day 4"];
  expect(told(four)).toEqual(all);
  expect(told(four, { provider: "google", model: undefined, key: undefined, user: undefined })).toEqual(all);
});

test("an override of each scope holds beside the others", () => {
  const four = settings(
    [
      { scope: "user", member: "alice", requestsPerDay: 9 },
      { scope: "key", member: "0123456789ab", tokensPerMinute: 8 },
      { scope: "model", member: "gpt-*", requestsPerMinute: 7 },
      { scope: "provider", member: "openai", requestsPerMinute: 6, tokensPerDay: 5 },
      { scope: "provider", member: "anthropic", requestsPerMinute: 1 },
    ],
    { requestsPerMinute: 10 },
  );
  expect(told(four)).toEqual([
    "global: requests/minute 10",
    "provider:openai requests/minute 6",
    "provider:openai tokens/day 5",
    "model:gpt-4o requests/minute 7",
    "key:0123456789ab tokens/minute 8",
    "user:alice requests/day 9",
  ]);
});

describe("one override of a scope applies", () => {
  const overrides: readonly LimitOverride[] = [
    { scope: "model", member: "gpt-*", requestsPerMinute: 1 },
    { scope: "model", member: "*4o*", requestsPerMinute: 2 },
    { scope: "model", member: "gpt-4o", requestsPerMinute: 3 },
    { scope: "model", member: "gpt-4o", requestsPerMinute: 4 },
    { scope: "model", member: "*", requestsPerMinute: 5 },
  ];
  test.each([
    ["an exact name before globs that stand before it", "gpt-4o", "3"],
    ["the first glob of the file", "gpt-4o-mini", "1"],
    ["a later one", "o4o", "2"],
    ["the last", "claude", "5"],
  ])("%s", (_, model, number) => {
    expect(told(settings(overrides), { model })).toEqual([`model:${model} requests/minute ${number}`]);
  });
  test("none where the model is unknown", () => {
    expect(told(settings(overrides), { model: undefined })).toEqual([]);
  });
});

describe("an override above the limit for all is an allowance of its own", () => {
  const global = { requestsPerMinute: 10, tokensPerMinute: 1_000 };
  const both = ["global: requests/minute 10", "global: tokens/minute 1000"];
  test.each<[string, Partial<LimitOverride>, readonly string[]]>([
    ["above", { requestsPerMinute: 11 }, ["global: tokens/minute 1000", "key:0123456789ab requests/minute 11"]],
    ["without a limit", { requestsPerMinute: 0 }, ["global: tokens/minute 1000"]],
    ["equal: both hold", { requestsPerMinute: 10 }, [...both, "key:0123456789ab requests/minute 10"]],
    ["below: both hold", { requestsPerMinute: 9 }, [...both, "key:0123456789ab requests/minute 9"]],
    ["of another window", { requestsPerDay: 99 }, [...both, "key:0123456789ab requests/day 99"]],
    ["of another metric", { tokensPerMinute: 2_000 }, ["global: requests/minute 10", "key:0123456789ab tokens/minute 2000"]],
  ])("%s", (_, numbers, expected) => {
    expect(told(settings([{ scope: "key", member: "*", ...numbers }], global))).toEqual(expected);
  });

  test("while one of another scope still holds", () => {
    const overrides: readonly LimitOverride[] = [
      { scope: "key", member: "*", requestsPerMinute: 100 },
      { scope: "user", member: "*", requestsPerMinute: 2 },
    ];
    expect(told(settings(overrides, { requestsPerMinute: 10 }))).toEqual([
      "key:0123456789ab requests/minute 100",
      "user:alice requests/minute 2",
    ]);
  });
});

test("case makes no member of its own", () => {
  const one = settings([{ scope: "model", member: "GPT-*", requestsPerMinute: 1 }]);
  expect(told(one, { model: "gpt-4O" })).toEqual(told(one, { model: "GPT-4o" }));
});

test("what a limit comes to without the store is the override's, else that for all", () => {
  const overrides: readonly LimitOverride[] = [
    { scope: "key", member: "*", requestsPerMinute: 1, onStoreLoss: "closed" },
    { scope: "user", member: "*", requestsPerMinute: 1 },
  ];
  const ways = limitsOf(settings(overrides, { requestsPerMinute: 5, onStoreLoss: "open" }), caller);
  expect(ways.map(({ scope, onStoreLoss }) => `${scope} ${onStoreLoss}`)).toEqual(["global open", "key closed", "user open"]);
});

describe("callers are remembered", () => {
  test("those who differ in nothing that overrides speak of have the same limits", () => {
    const one = settings([{ scope: "key", member: "*", requestsPerMinute: 1 }], { requestsPerMinute: 5 });
    expect(limitsOf(one, caller)).toBe(limitsOf(one, { ...caller, model: "other", user: undefined }));
    expect(limitsOf(one, caller)).not.toBe(limitsOf(one, { ...caller, key: "ba9876543210" }));
  });
  test("and kept apart whatever is in their names", () => {
    const one = settings([
      { scope: "model", member: "*", requestsPerMinute: 1 },
      { scope: "user", member: "*", requestsPerMinute: 1 },
    ]);
    expect(told(one, { model: "a1:b", user: "c" })).toEqual(["model:a1:b requests/minute 1", "user:c requests/minute 1"]);
    expect(told(one, { model: "a", user: "b1:c" })).toEqual(["model:a requests/minute 1", "user:b1:c requests/minute 1"]);
    expect(told(one, { model: "a", user: undefined })).toEqual(["model:a requests/minute 1"]);
    expect(told(one, { model: "a", user: "" })).toEqual(["model:a requests/minute 1", "user: requests/minute 1"]);
  });
});
