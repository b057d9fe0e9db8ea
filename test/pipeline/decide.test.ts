import { describe, expect, test } from "bun:test";
import type { Identified, RequestFacts } from "../../src/core/exchange.ts";
import type { Rules } from "../../src/core/rule.ts";
import { decide, needsFacts } from "../../src/pipeline/decide.ts";
import { exchange, FACTS, rulesOf } from "../support.ts";

const SEED = 7;

/** Names of the faults that each of the requests meets, in order. */
function faultsMet(
  rules: Rules,
  requests: readonly (Partial<Identified> & { readonly facts?: Partial<RequestFacts>; readonly atMs?: number })[],
  seed = SEED,
) {
  let current = rules;
  const met = requests.map(({ facts = {}, atMs = 0, ...changes }) => {
    const decided = decide(exchange(changes), { ...FACTS, ...facts }, current, seed, atMs);
    current = decided.rules;
    return decided.planned.map(({ fault }) => fault.name).join("+");
  });
  return { met, rules: current };
}

const three = [{}, {}, {}];

describe("counts", () => {
  test("the counted fault is the one that is announced, and then it is over", () => {
    const { met, rules } = faultsMet(rulesOf("c 1"), three);
    expect(met).toEqual(["context_length", "", ""]);
    expect(rules.mode).toBeUndefined();
  });

  test("a count counts down and shows what is left", () => {
    const { met, rules } = faultsMet(rulesOf("r 4"), three);
    expect(met).toEqual(["rate_limit", "rate_limit", "rate_limit"]);
    expect(rules.mode?.amount).toEqual({ kind: "count", remaining: 1 });
  });

  test.each(["n", "c 0", "c 0%"])("%s means none", (command) => {
    expect(faultsMet(rulesOf("u *", command), three).met).toEqual(["", "", ""]);
  });

  test("a new command replaces the mode", () => {
    expect(faultsMet(rulesOf("c *", "r 1"), three).met).toEqual(["rate_limit", "", ""]);
  });

  test("* is every request", () => {
    expect(faultsMet(rulesOf("o *"), three).met).toEqual(["overloaded", "overloaded", "overloaded"]);
  });
});

describe("shares", () => {
  const many = Array.from({ length: 2_000 }, () => ({}));

  test("the same seed, rules and requests give the same decisions; another seed gives others", () => {
    const first = faultsMet(rulesOf("c 30%"), many).met;
    expect(faultsMet(rulesOf("c 30%"), many).met).toEqual(first);
    expect(faultsMet(rulesOf("c 30%"), many, SEED + 1).met).not.toEqual(first);
  });

  test.each([1, 2, 3, 4, 5])("a share is met about as often as it says (seed %d)", (seed) => {
    const hits = faultsMet(rulesOf("c 30%"), many, seed).met.filter((name) => name !== "").length;
    // Five standard deviations of a binomial(2000, 0.3).
    expect(Math.abs(hits - 600)).toBeLessThan(5 * Math.sqrt(2_000 * 0.3 * 0.7));
  });

  test("a repeated command draws new numbers", () => {
    const few = many.slice(0, 64);
    expect(faultsMet(rulesOf("c 50%", "c 50%"), few).met).not.toEqual(faultsMet(rulesOf("c 50%"), few).met);
  });

  test("requests that a rule does not aim at do not change its draws", () => {
    const aimed = faultsMet(rulesOf("c 50% provider=openai"), many.slice(0, 50)).met;
    const mixed = many.slice(0, 50).flatMap(() => [{ provider: "anthropic" as const }, {}]);
    const between = faultsMet(rulesOf("c 50% provider=openai"), mixed).met;
    expect(between.filter((_, index) => index % 2 === 1)).toEqual(aimed);
    expect(between.filter((_, index) => index % 2 === 0).every((name) => name === "")).toBe(true);
  });

  test("the drawn number is told", () => {
    const { decisions } = decide(exchange(), FACTS, rulesOf("c 50%"), SEED, 0);
    expect(decisions[0]?.drawn).toBeWithin(0, 1);
    expect(decisions[0]?.injected).toBe((decisions[0]?.drawn ?? 1) < 0.5);
  });
});

describe("several rules", () => {
  test("the first terminal one wins and the others are not counted", () => {
    const { met, rules } = faultsMet(rulesOf("c 1", "add r 1", "add u 1"), [{}, {}]);
    expect(met).toEqual(["context_length", "rate_limit"]);
    expect(rules.added.map((rule) => rule.fault)).toEqual(["server_error"]);
  });

  test("delays add up, before and beside a terminal one", () => {
    const { met } = faultsMet(rulesOf("add latency * for=10ms", "add r *", "add latency * for=20ms"), [{}]);
    expect(met).toEqual(["latency+rate_limit+latency"]);
  });
});

describe("aims", () => {
  test.each([
    ["r * provider=anthropic", { provider: "anthropic" as const }, {}],
    ["r * model=claude*", { facts: { model: "claude-opus-4-5" } }, {}],
    ["r * path=*/responses", { path: "/v1/responses" }, {}],
    ["r * stream=on", { facts: { stream: true } }, {}],
    ["r * stream=off", {}, { facts: { stream: true } }],
    ["r * session=abc*", { facts: { session: "abc-1" } }, { facts: { session: "x" } }],
    ["r * session=abc*", { headers: [["Session_Id", "abc-2"] as const] }, {}],
  ])("%s", (command, hit, miss) => {
    expect(faultsMet(rulesOf(command), [hit, miss]).met).toEqual(["rate_limit", ""]);
  });

  test("nth is the nth that matches, once", () => {
    expect(faultsMet(rulesOf("r * nth=2"), three).met).toEqual(["", "rate_limit", ""]);
  });

  test("after_requests lets so many pass", () => {
    expect(faultsMet(rulesOf("r 1 after_requests=2"), [...three, {}]).met).toEqual(["", "", "rate_limit", ""]);
  });

  test("a window is counted from the command", () => {
    const at = [0, 999, 1_000, 1_999, 2_000].map((atMs) => ({ atMs }));
    expect(faultsMet(rulesOf("r * window=1s-2s"), at).met).toEqual(["", "", "rate_limit", "rate_limit", ""]);
    expect(faultsMet(rulesOf("r * window=1s"), at).met).toEqual(["rate_limit", "rate_limit", "", "", ""]);
  });

  test("metadata and authentication are left alone unless a path is named", () => {
    const models = { method: "GET", kind: "metadata" as const, path: "/v1/models", dialect: undefined };
    expect(faultsMet(rulesOf("r *"), [models, { ...models, kind: "auth" as const }]).met).toEqual(["", ""]);
    expect(faultsMet(rulesOf("r * path=/v1/models"), [models]).met).toEqual(["rate_limit"]);
  });

  test("a stream fault waits for a streamed request", () => {
    expect(faultsMet(rulesOf("cut 1"), [{}, { facts: { stream: true } }, { facts: { stream: true } }]).met).toEqual(["", "cut", ""]);
  });
});

test("the body is asked for only where a rule could match", () => {
  expect(needsFacts(exchange(), rulesOf("r 30%"), 0)).toBe(true);
  expect(needsFacts(exchange(), rulesOf("cut"), 0)).toBe(true);
  expect(needsFacts(exchange(), rulesOf("r * model=x provider=anthropic", "add r * path=/v1/other", "add r * window=1s-2s"), 0)).toBe(
    false,
  );
  expect(needsFacts(exchange({ kind: "metadata" }), rulesOf("r *"), 0)).toBe(false);
});
