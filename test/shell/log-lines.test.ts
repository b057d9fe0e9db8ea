import { describe, expect, test } from "bun:test";
import { visible } from "../../src/cli/print.ts";
import type { DecisionEvent, ExchangeEvent, FaultproxyEvent, GatewayFacts } from "../../src/core/event.ts";
import type { Tried } from "../../src/core/gateway.ts";
import { NO_RULES } from "../../src/core/rule.ts";
import { type LogOptions, logLines } from "../../src/shell/log-lines.ts";
import { rulesOf } from "../support.ts";
import { exchangeEvent } from "./support.ts";

const time = "2026-01-02T03:04:05.678Z";
const local = new Date(time).toTimeString().slice(0, 8);

function decision(changes: Partial<DecisionEvent> = {}): DecisionEvent {
  return {
    type: "decision",
    time,
    exchange: 12,
    provider: "openai",
    dialect: "chat",
    method: "POST",
    path: "/v1/chat/completions",
    model: "m",
    rule: "mode",
    fault: "rate_limit",
    drawn: null,
    injected: true,
    ...changes,
  };
}

function line(event: FaultproxyEvent, options: Partial<LogOptions> = {}): string | undefined {
  return logLines({ logFormat: "pretty", logLevel: "debug", rules: () => NO_RULES, visible, ...options })?.(event);
}

test("a request is one line", () => {
  expect(line(exchangeEvent(12))).toBe(`${local} #12 POST /v1/chat/completions → openai 200 34 ms`);
  expect(line(exchangeEvent(12, { status: 502, error: "upstream_refused" }))).toBe(
    `${local} #12 POST /v1/chat/completions → openai 502 34 ms (upstream_refused)`,
  );
  expect(line(exchangeEvent(12, { status: null, done: "hang" }))).toBe(
    `${local} #12 POST /v1/chat/completions → openai no status 34 ms (hang)`,
  );
});

test("an injection is one line that says what is left", () => {
  const rules = () => rulesOf("r 2");
  expect(line(decision(), { rules })).toBe(`${local} 💥 #12 rate_limit → openai (mode; 2 left)`);
  expect(line(decision())).toBe(`${local} 💥 #12 rate_limit → openai (mode; 0 left)`);
  expect(line(decision({ rule: "slow", drawn: 0.25 }), { rules: () => rulesOf("add r 30% id=slow") })).toBe(
    `${local} 💥 #12 rate_limit → openai (rule slow; drew 0.250)`,
  );
});

describe("of routes", () => {
  const tried = (target: string, changes: Partial<Tried> = {}): Tried => ({
    target,
    attempts: 1,
    status: 200,
    failure: undefined,
    reason: undefined,
    durationMs: 1,
    ...changes,
  });
  const GATEWAY: GatewayFacts = {
    stream: false,
    attempts: 1,
    failure: null,
    answeredModel: null,
    firstTokenMs: null,
    usage: null,
    costUsd: null,
    key: null,
    user: null,
    reached: true,
    answeredBy: "openai",
    tried: [],
    limit: null,
  };
  const claude = tried("anthropic/claude-sonnet-4-5");
  const down = tried("openai/gpt-4o", { status: 503, failure: "degraded", attempts: 3 });
  const EXCHANGES: readonly (readonly [string, readonly Tried[], Partial<ExchangeEvent>, string])[] = [
    ["the target that answered", [tried("openai/gpt-4o")], {}, "openai/gpt-4o 200 34 ms"],
    [
      "what failed before it",
      [down, claude],
      {},
      "openai/gpt-4o failed (503 degraded ×3), anthropic/claude-sonnet-4-5 answered: 200 34 ms",
    ],
    [
      "what was passed over",
      [tried("openai", { attempts: 0, status: undefined, reason: "circuit_open" }), claude],
      {},
      "openai passed over (circuit open), anthropic/claude-sonnet-4-5 answered: 200 34 ms",
    ],
    [
      "that nobody answered",
      [down, tried("google", { status: undefined, failure: "degraded", reason: "upstream_timeout" })],
      { status: 503 },
      "openai/gpt-4o failed (503 degraded ×3), google failed (degraded upstream timeout): 503 34 ms",
    ],
    [
      "that nobody was asked",
      [tried("openai", { attempts: 0, status: undefined, reason: "cooldown" })],
      { status: 503, error: "no_target" },
      "openai passed over (cooldown): 503 34 ms (no_target)",
    ],
    [
      "where a stream was gone on with",
      [tried("openai", { failure: "degraded", reason: "upstream_closed_early" }), claude],
      {},
      "openai failed (degraded upstream closed early), anthropic/claude-sonnet-4-5 answered: 200 34 ms",
    ],
  ];
  test.each(EXCHANGES)("an exchange tells %s", (_, all, changes, expected) => {
    const event = exchangeEvent(12, { ...changes, gateway: { ...GATEWAY, tried: all } });
    expect(line(event)).toBe(`${local} #12 POST /v1/chat/completions → ${expected}`);
  });

  const failover = { type: "failover", time, exchange: 12, from: "openai/gpt-4o", to: "anthropic", isRescue: false } as const;
  const EVENTS: readonly (readonly [FaultproxyEvent, string])[] = [
    [{ ...failover, class: "degraded", status: 503 }, "🔀 #12 openai/gpt-4o failed: 503 degraded; anthropic is asked"],
    [{ ...failover, class: "degraded", status: null }, "🔀 #12 openai/gpt-4o failed: degraded; anthropic is asked"],
    [{ ...failover, class: null, status: null }, "🔀 #12 openai/gpt-4o failed; anthropic is asked"],
    [
      { ...failover, class: "degraded", status: 200, isRescue: true },
      "🔀 #12 openai/gpt-4o failed in the middle of its answer: degraded; anthropic goes on",
    ],
    [
      { type: "cooldown", time, target: "openai", class: "global_rate_limit", forMs: 1_500 },
      "🧊 openai is left alone for 2 s with this key: global rate limit",
    ],
    [
      { type: "cooldown", time, target: "openai", class: "quota", forMs: 600_000 },
      "🧊 openai is left alone for 10 min with this key: quota",
    ],
    [
      { type: "cooldown", time, target: "openai", class: "auth", forMs: 86_400_000 },
      "🧊 openai is left alone for 24 h with this key: auth",
    ],
    [{ type: "cooldown", time, target: "openai", class: null, forMs: null }, "🟢 openai may be asked again"],
    [
      { type: "credential", time, source: "file /k", state: "missing", detail: "there is no file /k; put a key there" },
      "🔑 credential file /k: there is no file /k; put a key there",
    ],
    [{ type: "credential", time, source: "file /k", state: "ready", detail: null }, "🔑 credential file /k: it can be used again"],
  ];
  test.each(EVENTS)("%j is one line", (event, expected) => {
    expect(line(event)).toBe(`${local} ${expected}`);
  });

  test("names of targets cannot act on the terminal", () => {
    const gateway = { ...GATEWAY, tried: [tried("openai/\x1b[2J")] };
    expect(line(exchangeEvent(1, { gateway }))).toContain("→ openai/\\x1b[2J 200");
  });
});

test("JSON is the event", () => {
  expect(JSON.parse(line(decision(), { logFormat: "json" }) ?? "")).toEqual(decision());
});

describe("levels", () => {
  const events = {
    failed: exchangeEvent(1, { error: "upstream_refused", status: 502 }),
    injected: decision(),
    request: exchangeEvent(1),
    left: exchangeEvent(1, { done: "client_gone", status: null }),
    passedOver: decision({ injected: false }),
  };
  test.each<[LogOptions["logLevel"], readonly string[]]>([
    ["silent", []],
    ["error", ["failed"]],
    ["warn", ["failed", "injected"]],
    ["info", ["failed", "injected", "request", "left"]],
    ["debug", ["failed", "injected", "request", "left", "passedOver"]],
  ])("%s shows %j", (logLevel, shown) => {
    const names = Object.entries(events).filter(([, event]) => line(event, { logLevel }) !== undefined);
    expect(names.map(([name]) => name)).toEqual([...shown]);
  });
});

test("what came from the wire cannot act on the terminal", () => {
  const text = line(exchangeEvent(1, { path: "/\x1b[2J\r\n#2 forged\u202e\u009b" }));
  expect(text).toContain("/\\x1b[2J\\x0d\\x0a#2 forged\\u202e\\x9b");
});
