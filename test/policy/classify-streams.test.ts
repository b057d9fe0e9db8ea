import { describe, expect, test } from "bun:test";
import type { DialectName } from "../../src/core/dialect.ts";
import type { FailureClass } from "../../src/core/failure.ts";
import { PROVIDER_NAMES, type ProviderName, type StreamErrorEntry } from "../../src/core/provider.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { parseObject } from "../../src/dialects/shared.ts";
import { classifyStreamError } from "../../src/policy/classify.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { JSON_ARRAY } from "../../src/stream/json-array.ts";
import { SSE } from "../../src/stream/sse.ts";
import { errorIn } from "../../src/translate/errors.ts";
import { errorFacts } from "../providers/error-facts.ts";

/** `rate`: what the provider calls a 429 that comes without headers. */
type Expected = FailureClass | "rate";

const CLASSES: Readonly<Record<DialectName, Readonly<Record<string, Expected>>>> = {
  chat: {
    server_error: "degraded",
    closed: "degraded",
    numeric_code: "client",
    groq: "degraded",
    groq_event: "degraded",
    vllm: "degraded",
    sglang: "degraded",
    string_code: "degraded",
    integer_code: "rate",
  },
  responses: {
    nested: "degraded",
    quota: "quota",
    flat: "degraded",
    failed: "degraded",
    rate_limit: "rate",
    context_length: "context_window",
    overloaded: "degraded",
    at_capacity: "degraded",
  },
  messages: { overloaded: "degraded", overloaded_bare: "degraded", api_error: "degraded", rate_limit: "rate" },
  gemini: { bare: "degraded", data: "degraded", high_demand: "degraded", internal: "degraded" },
};

const RATE: Readonly<Record<ProviderName, FailureClass>> = {
  openai: "global_rate_limit",
  anthropic: "local_rate_limit",
  google: "local_rate_limit",
  openrouter: "local_rate_limit",
  tetrate: "local_rate_limit",
  databricks: "local_rate_limit",
};

type Case = readonly [name: string, provider: ProviderName, dialect: DialectName, entry: StreamErrorEntry];

const CASES: readonly Case[] = PROVIDER_NAMES.flatMap((provider) =>
  Object.values(DIALECTS).flatMap((dialect) =>
    (PROVIDERS[provider].streamErrors[dialect.name] ?? dialect.streamErrors).map(
      (entry) => [`${provider} ${dialect.name} ${entry.variant}`, provider, dialect.name, entry] as const,
    ),
  ),
);

function expectedOf(provider: ProviderName, dialect: DialectName, variant: string): FailureClass | undefined {
  const expected = CLASSES[dialect][variant];
  return expected === "rate" ? RATE[provider] : expected;
}

/** Payloads of the frames; the bytes where the error leaves the framing. */
function payloads(text: string, framing: typeof SSE | typeof JSON_ARRAY): readonly string[] {
  const splitter = framing.splitter();
  const frames = [...splitter.push(new TextEncoder().encode(text)), ...splitter.end()];
  const withData = frames.flatMap(({ data }) => data ?? []);
  return withData.length > 0 ? withData : [text];
}

describe("every error inside a stream has its class", () => {
  test.each(CASES)("%s", (_name, provider, dialect, entry) => {
    const expected = expectedOf(provider, dialect, entry.variant);
    expect(expected).toBeDefined();
    const texts = payloads(entry.text({ ...errorFacts({ status: 200, framing: "sse", dialect }), index: 1 }), SSE);
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) expect(classifyStreamError(provider, [], text) ?? "none").toBe(expected ?? "none");
  });

  test.each(CASES.filter(([, , dialect]) => dialect === "gemini"))("%s as an element of an array", (_name, provider, dialect, entry) => {
    for (const index of [0, 1]) {
      const text = entry.text({ ...errorFacts({ status: 200, framing: "json-array", dialect }), index });
      for (const payload of [...payloads(text, JSON_ARRAY), text]) {
        expect(classifyStreamError(provider, [], payload)).toBe(expectedOf(provider, dialect, entry.variant));
      }
    }
  });
});

test("what was read from an error serves as well as its payload", () => {
  const checked = CASES.filter(([, provider, dialect, entry]) => {
    const [payload = ""] = payloads(entry.text({ ...errorFacts({ status: 200, framing: "sse", dialect }), index: 1 }), SSE);
    const json = parseObject(payload);
    // A translation has taken `response.failed` apart before it reads the error.
    const facts = json === undefined || json.type === "response.failed" ? undefined : errorIn(json);
    if (facts === undefined) return false;
    expect(classifyStreamError(provider, [], facts)).toBe(expectedOf(provider, dialect, entry.variant));
    return true;
  });
  expect(checked.length).toBeGreaterThan(CASES.length / 2);
});

test("the headers of the 200 tell a global limit from a local one", () => {
  const payload = JSON.stringify({ error: { message: "Rate limit reached", type: "tokens", code: "rate_limit_exceeded" } });
  const gone = [
    ["x-ratelimit-remaining-requests", "0"],
    ["x-ratelimit-remaining-tokens", "0"],
  ] as const;
  const left = [...gone.slice(0, 1), ["x-ratelimit-remaining-tokens", "12"]] as const;
  expect(classifyStreamError("openai", gone, payload)).toBe("global_rate_limit");
  expect(classifyStreamError("openai", left, payload)).toBe("local_rate_limit");
});

describe("a good answer is no error", () => {
  test.each([
    '{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"the error is: quota exceeded"}}]}',
    '{"id":"resp_1","object":"response","status":"completed","error":null,"output":[]}',
    '{"type":"response.completed","response":{"status":"completed","error":null,"metadata":{"error":"x","code":"429"}}}',
    '{"type":"message","role":"assistant","content":[{"type":"text","text":"overloaded_error"}],"stop_reason":"refusal"}',
    '{"candidates":[{"finishReason":"SAFETY"}]}',
    '{"promptFeedback":{"blockReason":"SAFETY"}}',
    '{"error":{},"choices":[]}',
    '{"error":"","choices":[]}',
    "[DONE]",
    "",
    "not JSON",
    '"error"',
    "[]",
    '[{"candidates":[]}]',
  ])("%s", (payload) => {
    expect(classifyStreamError("openai", [], payload)).toBeUndefined();
  });
});

describe("errors that stand in otherwise good answers", () => {
  test.each<readonly [string, FailureClass]>([
    ['{"id":"gen-1","choices":[{"index":0,"finish_reason":"error","error":{"code":502,"message":"Provider returned error"}}]}', "degraded"],
    [
      '{"id":"resp_1","object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"…"},"output":[]}',
      "local_rate_limit",
    ],
    ['{"error":"an error was encountered while running the model"}', "degraded"],
    ['{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Exceeded workspace QPS rate limit"}', "local_rate_limit"],
    ['{"event_type":"error","error":{"code":"not_found","message":"Result not found."}}', "client"],
    ['[{"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED"}}]', "local_rate_limit"],
    ['{"error":{"message":"Server Overloaded","type":"server_error","param":null,"code":"invalid_request_error"}}', "degraded"],
    ['{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}', "local_rate_limit"],
  ])("%s", (payload, expected) => {
    expect(classifyStreamError("databricks", [], payload)).toBe(expected);
  });
});
