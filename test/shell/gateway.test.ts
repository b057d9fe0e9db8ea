import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Settings } from "../../src/config/settings.ts";
import type { Gateway } from "../../src/core/gateway.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import type { Caller } from "../../src/core/state-store.ts";
import { createGatewayRuntime, type Features, featuresOf, keyHash } from "../../src/shell/gateway.ts";
import type { Targets } from "../../src/shell/targets.ts";
import { fakeClock } from "../support.ts";
import { exchangeEvent, settings } from "./support.ts";

const TARGETS = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "simulated" }])) as Targets;
const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

/** Without a ledger: nothing is written. */
function runtimeOf(changes: Partial<Settings>) {
  const first = settings({ ledgerFile: "", ...changes });
  const runtime = createGatewayRuntime({
    settings: first,
    environment: {},
    clock: fakeClock(),
    warn: (text) => {
      throw new Error(text);
    },
    tell: () => {},
    tellCooldown: () => {},
    tellCredential: () => {},
    running: () => 1,
  });
  closing.push(runtime.close);
  return { runtime, first };
}

async function gatewayOf(changes: Partial<Settings>): Promise<Gateway> {
  const { runtime, first } = runtimeOf(changes);
  const gateway = runtime.gatewayOf(first, TARGETS);
  await runtime.ready();
  if (gateway === undefined) throw new Error("it is off");
  return gateway;
}

describe("features", () => {
  const OFF: Features = { isOn: false, hasLimits: false, breaker: "off", hasRetries: false, hasCors: false, hasCost: false };
  const CASES: readonly (readonly [string, Partial<Settings>, Partial<Features>])[] = [
    ["nothing set", {}, {}],
    ["the gateway", { gateway: true }, { isOn: true, breaker: "enforce", hasRetries: true, hasCors: true, hasCost: true }],
    [
      "the gateway with a breaker that only tells",
      { gateway: true, breakerMode: "log" },
      { isOn: true, breaker: "log", hasRetries: true, hasCors: true, hasCost: true },
    ],
    [
      "the gateway without a breaker",
      { gateway: true, breakerMode: "off" },
      { isOn: true, hasRetries: true, hasCors: true, hasCost: true },
    ],
    ["limits", { featureTables: ["limits"], requestsPerDay: 1 }, { isOn: true, hasLimits: true }],
    ["an override alone", { featureTables: ["limits"], limitOverrides: [{ user: "*", tokensPerDay: 5 }] }, { isOn: true, hasLimits: true }],
    ["limits of nothing", { featureTables: ["limits"] }, { isOn: true }],
    ["a breaker", { featureTables: ["breaker"] }, { isOn: true, breaker: "enforce", hasRetries: true }],
    ["a breaker that is off", { featureTables: ["breaker"], breakerMode: "off" }, {}],
    ["retries", { featureTables: ["retry"] }, { isOn: true, hasRetries: true }],
    ["CORS", { featureTables: ["cors"] }, { isOn: true, hasCors: true }],
    ["cost", { featureTables: ["cost"] }, { isOn: true, hasCost: true }],
  ];
  test.each(CASES)("%s", (_, changes, features) => {
    expect(featuresOf(settings(changes))).toEqual({ ...OFF, ...features });
  });
});

describe("the gateway that settings make", () => {
  test("is none where no feature is on", () => {
    const { runtime, first } = runtimeOf({});
    expect(runtime.gatewayOf(first, TARGETS)).toBeUndefined();
  });

  test("has only the parts that are on", async () => {
    const limits = await gatewayOf({ featureTables: ["limits"], requestsPerMinute: 5 });
    expect(limits).toMatchObject({ breaker: undefined, cors: undefined, includeUsage: false });
    expect(limits.retry).toMatchObject({ maxTransientRetries: 0, maxRateLimitRetries: 0 });
    const all = await gatewayOf({ gateway: true });
    expect(all.breaker).toEqual({
      mode: "enforce",
      retryContribution: "log",
      degradedSignal: "[LLM_PROXY_PROVIDER_DEGRADED]",
      testMode: false,
    });
    expect(all.retry).toMatchObject({ maxTransientRetries: 2, maxRateLimitRetries: 2 });
    expect(all.includeUsage).toBe(true);
    expect(all.cors?.origins).toEqual(new Set(["*"]));
    expect((await gatewayOf({ gateway: true, includeUsage: false })).includeUsage).toBe(false);
  });

  const CALLER: Caller = { provider: "openai", model: "gpt-4o", key: keyHash("sk-1"), user: "John%20Smith" };
  const limit = { metric: "requests", window: "minute", limit: 3, onStoreLoss: "share" } as const;
  const OVERRIDES: readonly (readonly [string, Settings["limitOverrides"][number], object | undefined])[] = [
    ["a key by itself", { key: "sk-1", requestsPerMinute: 3 }, { scope: "key", member: keyHash("sk-1") }],
    ["a key by its hash", { key: keyHash("sk-1"), requestsPerMinute: 3 }, { scope: "key", member: keyHash("sk-1") }],
    ["each key", { key: "*", requestsPerMinute: 3 }, { scope: "key", member: keyHash("sk-1") }],
    ["another key", { key: "sk-2", requestsPerMinute: 3 }, undefined],
    ["a user with a space", { user: "john smith", requestsPerMinute: 3 }, { scope: "user", member: "john%20smith" }],
    ["users by a glob", { user: "John *", requestsPerMinute: 3 }, { scope: "user", member: "john%20smith" }],
    ["a model", { model: "gpt-4*", requestsPerMinute: 3 }, { scope: "model", member: "gpt-4o" }],
    ["a provider", { provider: "openai", requestsPerMinute: 3 }, { scope: "provider", member: "openai" }],
  ];
  test.each(OVERRIDES)("limits %s", async (_, override, member) => {
    const { limitsOf } = await gatewayOf({ featureTables: ["limits"], limitOverrides: [override] });
    expect(limitsOf(CALLER)).toEqual(member === undefined ? [] : [{ ...limit, ...member } as never]);
  });

  test("knows prices once it is ready, and none before a reload asks for costs", async () => {
    const usage = { inputTokens: 1_000_000, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };
    const asked = { provider: "openai", model: "gpt-4o", answeredModel: undefined, usage } as const;
    expect((await gatewayOf({ featureTables: ["cost"] })).costOf(asked)).toBe(2.5);
    expect((await gatewayOf({ featureTables: ["limits"], requestsPerDay: 1 })).costOf(asked)).toBeUndefined();
    const own = [{ model: "gpt-*", inputPerMillion: 7, outputPerMillion: 1 }];
    expect((await gatewayOf({ featureTables: ["cost"], prices: own })).costOf(asked)).toBe(7);
  });

  test("its store keeps what it counted over a reload", async () => {
    const { runtime, first } = runtimeOf({ featureTables: ["limits"], requestsPerMinute: 1 });
    const before = runtime.gatewayOf(first, TARGETS);
    expect(before?.store.reserve(before.limitsOf(CALLER), 0)).toMatchObject({ kind: "reserved" });
    expect(runtime.gatewayOf({ ...first, featureTables: [], requestsPerMinute: 0 }, TARGETS)).toBeUndefined();
    const after = runtime.gatewayOf({ ...first, requestsPerMinute: 1 }, TARGETS);
    expect(after?.store.reserve(after.limitsOf(CALLER), 0)).toMatchObject({ kind: "refused", remaining: 0 });
  });

  test("its pages tell of all that was noted, without the request that asks", async () => {
    const { runtime, first } = runtimeOf({ gateway: true });
    const gateway = runtime.gatewayOf(first, TARGETS);
    runtime.note(exchangeEvent(1));
    expect(await gateway?.metrics()).toContain("\nfaultproxy_running_requests 0\n");
    expect(await gateway?.metrics()).toContain('faultproxy_requests_total{provider="openai",kind="inference",status="200"} 1\n');
    expect(await gateway?.health()).toMatchObject({ isHealthy: true, report: { status: "ok", ledger: null } });
  });
});

test("a key is told by the beginning of its hash", () => {
  const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);
  expect([keyHash("sk-1"), keyHash("sk-1"), keyHash("ключ")]).toEqual([hash("sk-1"), hash("sk-1"), hash("ключ")]);
});
