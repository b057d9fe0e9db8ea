import { describe, expect, test } from "bun:test";
import { visible } from "../../src/cli/print.ts";
import type { DecisionEvent, FaultproxyEvent } from "../../src/core/event.ts";
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
