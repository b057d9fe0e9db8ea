import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { CooldownView } from "../../src/core/cooldown.ts";
import type { ExchangeEvent, FaultproxyEvent, GatewayFacts } from "../../src/core/event.ts";
import { FAILURE_CLASSES, type FailureClass } from "../../src/core/failure.ts";
import type { Tried } from "../../src/core/gateway.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import type { BreakerView } from "../../src/core/state-store.ts";
import { createMetrics, type Metrics } from "../../src/shell/metrics.ts";
import type { RouteState, RouteTargetState } from "../../src/shell/route-states.ts";
import { type Families, parsePrometheus, total } from "../e2e/support/prometheus.ts";
import { exchangeEvent } from "./support.ts";

const MEMORY = { kind: "memory", isUp: true, instances: 1, detail: undefined } as const;

const NOTHING = { running: 0, circuits: [], store: MEMORY, ledger: undefined, routes: [], cooldowns: [] } as const;

type Now = Partial<Parameters<Metrics["text"]>[0]>;

function metricsOf(events: readonly FaultproxyEvent[], now: Now = {}): Families {
  const metrics = createMetrics();
  for (const event of events) metrics.note(event);
  return parsePrometheus(metrics.text({ ...NOTHING, ...now }));
}

const USAGE = { inputTokens: 10, cacheReadTokens: 4, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 5 };

function governed(facts: Partial<GatewayFacts> = {}, changes: Partial<ExchangeEvent> = {}): ExchangeEvent {
  const gateway: GatewayFacts = {
    stream: false,
    attempts: 1,
    failure: null,
    answeredModel: "m-1",
    firstTokenMs: null,
    usage: USAGE,
    costUsd: 0.25,
    key: null,
    user: null,
    limit: null,
    reached: true,
    answeredBy: null,
    tried: [],
    ...facts,
  };
  return exchangeEvent(1, { model: "m", gateway, ...changes });
}

describe("metrics", () => {
  test("of nothing can be read, and have no series of requests", () => {
    const families = metricsOf([]);
    expect([...families].filter(([, { samples }]) => samples.length > 0).map(([name]) => name)).toEqual([
      "faultproxy_running_requests",
      "faultproxy_state_store_up",
      "faultproxy_state_store_instances",
    ]);
  });

  test("say how ledger and store are", () => {
    const families = metricsOf([], {
      running: 3,
      store: { kind: "redis", isUp: false, instances: 4, detail: "away" },
      ledger: { isUp: false, pending: 7 },
    });
    expect(total(families, "faultproxy_running_requests")).toBe(3);
    expect(total(families, "faultproxy_state_store_up", { kind: "redis" })).toBe(0);
    expect(total(families, "faultproxy_state_store_instances")).toBe(4);
    expect([total(families, "faultproxy_ledger_up"), total(families, "faultproxy_ledger_pending_rows")]).toEqual([0, 7]);
  });

  test("an observation stands in the bucket whose bound it does not pass, and in all above", () => {
    const families = metricsOf([
      governed({ firstTokenMs: 5 }, { durationMs: 20 }),
      governed({ firstTokenMs: 5.1 }, { durationMs: 90_000 }),
    ]);
    const buckets = (name: string) =>
      families
        .get(name)
        ?.samples.filter((sample) => sample.name === `${name}_bucket`)
        .map(({ labels: { le = "" }, value }) => `${le}:${value}`) ?? [];
    expect(buckets("gen_ai_server_time_to_first_token_seconds").slice(0, 4)).toEqual(["0.001:0", "0.005:1", "0.01:2", "0.02:2"]);
    expect(buckets("gen_ai_client_operation_duration_seconds").slice(0, 2)).toEqual(["0.01:0", "0.02:1"]);
    expect(buckets("gen_ai_client_operation_duration_seconds").slice(-2)).toEqual(["81.92:1", "+Inf:2"]);
    expect(total(families, "gen_ai_client_operation_duration_seconds_sum")).toBeCloseTo(90.02, 9);
  });

  test("what differs only in what a label does not tell is one series", () => {
    const events = [
      governed({}, { status: 200 }),
      governed({}, { status: 201 }),
      governed({}, { status: null, done: "client_gone" }),
      governed({}, { dialect: "responses" }),
    ];
    const families = metricsOf(events);
    expect(families.get("gen_ai_client_operation_duration_seconds")?.samples.filter(({ name }) => name.endsWith("_count"))).toEqual([
      expect.objectContaining({ value: 4 }),
    ]);
    expect(total(families, "faultproxy_cost_usd_total")).toBe(1);
    expect(total(families, "gen_ai_client_token_usage_sum", { gen_ai_token_type: "output" })).toBe(80);
  });

  test("the reason of a failure, or of a refusal of our own, is the type of the error", () => {
    const limit = { scope: "user", metric: "tokens", window: "day" } as const;
    const families = metricsOf([
      governed({ failure: "degraded", usage: null, costUsd: null }, { status: 500 }),
      governed({ limit, usage: null, costUsd: null, attempts: 0 }, { status: 429, error: "rate_limited" }),
      governed(),
    ]);
    const types = families
      .get("gen_ai_client_operation_duration_seconds")
      ?.samples.filter(({ name }) => name.endsWith("_count"))
      .map(({ labels }) => labels.error_type);
    expect(types).toEqual(["degraded", "rate_limited", undefined]);
    expect(total(families, "faultproxy_limit_refusals_total", { provider: "openai", ...limit })).toBe(1);
  });

  test("a price that is not known is counted apart from one that is nought", () => {
    const families = metricsOf([governed({ costUsd: null }), governed({ costUsd: 0 }, { model: "free" })]);
    expect(families.get("faultproxy_unpriced_answers_total")?.samples.map(({ labels, value }) => [labels.model, value])).toEqual([
      ["m", 1],
    ]);
    expect(families.get("faultproxy_cost_usd_total")?.samples.map(({ labels, value }) => [labels.model, value])).toEqual([["free", 0]]);
  });

  test("pages of our own are not counted, requests that no gateway sees only as requests", () => {
    const families = metricsOf([exchangeEvent(1, { kind: "page" }), exchangeEvent(2, { kind: "metadata" }), exchangeEvent(3)]);
    expect(total(families, "faultproxy_requests_total")).toBe(2);
    expect(total(families, "gen_ai_client_operation_duration_seconds_count")).toBe(0);
  });

  test("retries and changes of circuits are counted", () => {
    const time = "2026-01-02T03:04:05.678Z";
    const retry = {
      type: "retry",
      target: null,
      time,
      exchange: 1,
      provider: "openai",
      model: null,
      attempt: 1,
      status: 500,
      waitMs: 1,
    } as const;
    const circuit = { type: "circuit", time, provider: "openai", model: "m", from: "closed", reason: "x" } as const;
    const families = metricsOf([
      { ...retry, class: "degraded" },
      { ...retry, class: "degraded" },
      { ...retry, class: "local_rate_limit" },
      { ...circuit, to: "open" },
      { type: "store", time, isUp: true, detail: "" },
    ]);
    expect(total(families, "faultproxy_retries_total", { class: "degraded" })).toBe(2);
    expect(total(families, "faultproxy_retries_total")).toBe(3);
    expect(total(families, "faultproxy_circuit_transitions_total", { provider: "openai", to: "open" })).toBe(1);
  });

  describe("of routes", () => {
    const tried = (target: string, failure?: FailureClass): Tried => ({
      target,
      attempts: 1,
      status: 200,
      failure,
      reason: undefined,
      durationMs: 1,
    });
    const state = (name: string, passedOver?: string): RouteTargetState => ({
      name,
      circuit: undefined,
      cooldown: undefined,
      credential: undefined,
      passedOver,
    });
    const routeOf = (...targets: readonly RouteTargetState[]): RouteState => ({ match: {}, targets, isServed: true });

    test("are none where there are none", () => {
      const failed = governed({ tried: [tried("openai", "degraded")] });
      expect([...metricsOf([failed]).keys()].filter((name) => /target|failover|rescue|cooldown/.test(name))).toEqual([]);
    });

    test("count what failed at each target, and who went on", () => {
      const failover = {
        type: "failover",
        time: "2026-01-02T03:04:05.678Z",
        exchange: 1,
        from: "a",
        to: "b",
        class: null,
        status: null,
      } as const;
      const families = metricsOf(
        [
          governed({ answeredBy: "anthropic", tried: [tried("openai/gpt-4o", "degraded"), tried("anthropic")] }),
          governed({ answeredBy: "anthropic", tried: [tried("openai/gpt-4o", "degraded"), tried("anthropic")] }),
          governed({ failure: "auth", tried: [tried("openai/gpt-4o", "quota"), tried("anthropic", "auth")] }),
          { ...failover, isRescue: false },
          { ...failover, isRescue: true },
        ],
        { routes: [routeOf(state("openai/gpt-4o"), state("anthropic"))] },
      );
      const failures = families
        .get("faultproxy_target_failures_total")
        ?.samples.map(({ labels, value }) => [labels.target, labels.class, value]);
      expect(failures).toEqual([
        ["openai/gpt-4o", "degraded", 2],
        ["openai/gpt-4o", "quota", 1],
        ["anthropic", "auth", 1],
      ]);
      expect([total(families, "faultproxy_failovers_total"), total(families, "faultproxy_rescues_total")]).toEqual([2, 1]);
    });

    test("tell of each target whether it can be asked, once where it stands in several routes", () => {
      const cooldown = (target: string, credential: string): CooldownView => ({
        key: { target, credential },
        reason: "quota",
        untilWallMs: 1,
      });
      const odd = 'openai/a"b\\c\nd';
      const families = metricsOf([], {
        routes: [routeOf(state("openai"), state("anthropic", "cooldown")), routeOf(state("anthropic"), state(odd))],
        cooldowns: [cooldown("anthropic", "a"), cooldown("anthropic", "b"), cooldown("gone", "c")],
      });
      const values = (name: string) => families.get(name)?.samples.map(({ labels, value }) => [labels.target, value]);
      expect(values("faultproxy_target_available")).toEqual([
        ["openai", 1],
        ["anthropic", 0],
        [odd, 1],
      ]);
      expect(values("faultproxy_cooldowns")).toEqual([
        ["openai", 0],
        ["anthropic", 2],
        [odd, 0],
      ]);
    });

    test("count answers and costs for the provider and the model that answered", () => {
      const routed = { answeredBy: "anthropic", answeredModel: "claude-1", tried: [tried("anthropic")] } as const;
      const families = metricsOf([governed(routed), governed(routed), governed()]);
      expect(total(families, "faultproxy_requests_total", { provider: "anthropic" })).toBe(2);
      expect(total(families, "faultproxy_cost_usd_total", { provider: "anthropic", model: "claude-1" })).toBe(0.5);
      expect(total(families, "faultproxy_cost_usd_total", { provider: "openai", model: "m" })).toBe(0.25);
      expect(total(families, "gen_ai_client_operation_duration_seconds_count", { gen_ai_provider_name: "anthropic" })).toBe(2);
    });
  });

  test("of circuits only so many are told", () => {
    const circuits: readonly BreakerView[] = Array.from({ length: 500 }, (_, index) => ({
      key: { provider: "openai", model: `m-${index}` },
      state: index === 0 ? "open" : index === 1 ? "half_open" : "closed",
      failures: index,
      cooldownUntilWallMs: undefined,
    }));
    const families = metricsOf([], { circuits });
    expect(families.get("faultproxy_circuit_state")?.samples.length).toBe(100);
    expect(
      families
        .get("faultproxy_circuit_state")
        ?.samples.slice(0, 3)
        .map(({ value }) => value),
    ).toEqual([2, 1, 0]);
  });

  const nullable = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: null });
  const name = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom("m", "other", "unknown", "a\nb", 'a"', "\\n"));
  const facts = fc.record({
    stream: fc.boolean(),
    attempts: fc.nat(3),
    failure: nullable(fc.constantFrom(...FAILURE_CLASSES)),
    answeredModel: nullable(name),
    firstTokenMs: nullable(fc.double({ min: 0, max: 1e6, noNaN: true })),
    usage: nullable(fc.tuple(fc.nat(), fc.nat()).map(([inputTokens, outputTokens]) => ({ ...USAGE, inputTokens, outputTokens }))),
    costUsd: nullable(fc.double({ min: 0, max: 100, noNaN: true })),
    key: fc.constant(null),
    user: nullable(name),
    limit: nullable(fc.constant({ scope: "user", metric: "tokens", window: "day" } as const)),
    reached: nullable(fc.boolean()),
    answeredBy: fc.constant(null),
    tried: fc.constant([]),
  });
  const exchange = fc.record({
    provider: fc.constantFrom(...PROVIDER_NAMES),
    dialect: nullable(fc.constantFrom("chat", "responses", "messages", "gemini")),
    kind: fc.constantFrom("inference", "metadata", "page"),
    model: nullable(name),
    status: nullable(fc.constantFrom(200, 429, 500)),
    error: nullable(fc.constantFrom("rate_limited", "upstream_refused")),
    durationMs: fc.nat(100_000),
  });
  const anyExchange: fc.Arbitrary<Partial<ExchangeEvent>> = fc
    .tuple(exchange, fc.option(facts, { nil: undefined }))
    .map(([event, gateway]) => (gateway === undefined ? event : { ...event, gateway }));

  test("whatever happens, they can be read and add up", () => {
    fc.assert(
      fc.property(fc.array(anyExchange, { maxLength: 60 }), (changes) => {
        const events = changes.map((change, index) => exchangeEvent(index, change));
        const counted = events.filter(({ kind }) => kind !== "page");
        const seen = counted.flatMap(({ gateway }) => gateway ?? []);
        const families = metricsOf(events);
        const sum = (of: (facts: GatewayFacts) => number) => seen.reduce((all, one) => all + of(one), 0);
        expect(total(families, "faultproxy_requests_total")).toBe(counted.length);
        expect(total(families, "gen_ai_client_operation_duration_seconds_count")).toBe(seen.length);
        expect(total(families, "gen_ai_server_time_to_first_token_seconds_count")).toBe(
          sum(({ firstTokenMs }) => Number(firstTokenMs !== null)),
        );
        expect(total(families, "gen_ai_client_token_usage_sum", { gen_ai_token_type: "input" })).toBe(
          sum(({ usage }) => usage?.inputTokens ?? 0),
        );
        expect(total(families, "faultproxy_limit_refusals_total")).toBe(sum(({ limit }) => Number(limit !== null)));
        const cost = sum(({ usage, costUsd }) => (usage === null ? 0 : (costUsd ?? 0)));
        expect(total(families, "faultproxy_cost_usd_total")).toBeCloseTo(cost, 6);
      }),
    );
  });

  test("names of models take a bounded place, whatever they are", () => {
    const events = Array.from({ length: 2_000 }, (_, index) =>
      governed({ answeredModel: `answered-${index}` }, { model: `${index}-${"x".repeat(10_000)}` }),
    );
    const metrics = createMetrics();
    for (const event of events) metrics.note(event);
    const text = metrics.text(NOTHING);
    expect(text.length).toBeLessThan(4_000_000);
    expect(total(parsePrometheus(text), "gen_ai_client_operation_duration_seconds_count")).toBe(2_000);
  });
});
