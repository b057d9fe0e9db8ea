import { expect, test } from "bun:test";
import AnthropicSdk from "@anthropic-ai/sdk";
import OpenAiSdk from "openai";
import { PROVIDERS } from "../../src/providers/index.ts";
import { entryOf, errorFacts, send, WALL_MS } from "./error-facts.ts";

test("OpenAI's hint, limits and text say the same", () => {
  const { headers, text } = send("openai", entryOf("openai", "rate_limit"), { retryAfterSeconds: 1.876 });
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "openai-version": "2020-10-01",
    "retry-after": "2",
    "retry-after-ms": "1876",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-reset-tokens": "1.876s",
  });
  expect(headers["x-request-id"]).toMatch(/^req_[0-9a-f]{32}$/);
  expect(text).toContain("Please try again in 1.876s.");
});

test("OpenAI's request limit is the one that its headers count", () => {
  const { headers, text } = send("openai", entryOf("openai", "rate_limit", "requests"), { retryAfterSeconds: 20 });
  expect(headers).toMatchObject({
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "20s",
  });
  expect(text).toContain("Limit 3, Used 3");
});

test.each(["insufficient_quota", "credit_balance_exhausted"])("OpenAI's %s hints no retry", (variant) => {
  const { headers, status } = send("openai", entryOf("openai", "quota", variant));
  expect(status).toBe(429);
  expect(headers["retry-after"]).toBeUndefined();
  expect(headers["x-ratelimit-limit-requests"]).toBeUndefined();
});

test("hints go by the status that is sent, not by the entry's", () => {
  const overloaded = entryOf("openai", "server_error");
  expect(send("openai", overloaded).headers["retry-after"]).toBeUndefined();
  expect(send("openai", overloaded, { status: 429 }).headers["retry-after"]).toBe("2");
});

test.each([
  ["openai", undefined],
  ["anthropic", undefined],
  ["google", undefined],
  ["tetrate", undefined],
  ["databricks", undefined],
  ["openrouter", "2"],
] as const)("of 503 and 529, only those of the provider that documents it hint a retry: %s", (provider, hint) => {
  const { status, headers } = send(provider, entryOf(provider, "overloaded"));
  expect([503, 529]).toContain(status);
  expect(headers["retry-after"]).toBe(hint as string);
});

test("Anthropic's request-id header repeats the body's, whichever is asked for first", () => {
  for (const headersFirst of [true, false]) {
    for (const variant of ["current", "2025", "spend_cap"]) {
      const entry = entryOf("anthropic", "rate_limit", variant);
      const facts = errorFacts({ status: entry.status });
      const early = headersFirst ? PROVIDERS.anthropic.errorHeaders(facts, entry) : undefined;
      // A copy of the facts is still the same error.
      const body = entry.body({ ...facts }) as { readonly request_id: string };
      const headers = early ?? PROVIDERS.anthropic.errorHeaders(facts, entry);
      expect(Object.fromEntries(headers)["request-id"]).toBe(body.request_id);
    }
  }
  expect(send("anthropic", entryOf("anthropic", "context_length", "vertex")).headers["request-id"]).toMatch(/^req_vrtx_011C/);
});

test("Google's error is the only element of the array that a stream without alt=sse is", () => {
  const rateLimit = entryOf("google", "rate_limit");
  const whole = JSON.parse(send("google", rateLimit).text);
  expect(JSON.parse(send("google", rateLimit, { framing: "json-array" }).text)).toEqual([whole]);
  expect(JSON.parse(send("google", rateLimit, { framing: "sse" }).text)).toEqual(whole);
});

test("two errors have two request ids", () => {
  const entry = entryOf("anthropic", "auth");
  const ids = [0, 1].map((draw) => {
    const facts = errorFacts();
    for (let i = 0; i < draw; i++) facts.random.next();
    return (entry.body(facts) as { readonly request_id: string }).request_id;
  });
  expect(ids[0]).not.toBe(ids[1]);
});

test("Anthropic's resets are not before its retry-after", () => {
  const { headers } = send("anthropic", entryOf("anthropic", "rate_limit"), { retryAfterSeconds: 12 });
  expect(headers).toMatchObject({
    "retry-after": "12",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2026-02-08T12:35:00Z",
    "anthropic-ratelimit-tokens-reset": "2026-02-08T12:35:00Z",
    "anthropic-ratelimit-requests-remaining": "49",
  });
  expect(Object.keys(headers).filter((name) => name.startsWith("anthropic-ratelimit-"))).toHaveLength(12);
});

test("Anthropic's spend cap and edge 413 come without what the provider leaves out", () => {
  expect(send("anthropic", entryOf("anthropic", "rate_limit", "spend_cap")).headers["retry-after"]).toBeUndefined();
  const edge = send("anthropic", entryOf("anthropic", "request_too_large"));
  expect(edge.headers["request-id"]).toBeUndefined();
  expect(edge.headers["cf-ray"]).toMatch(/^[0-9a-f]{16}-FRA$/);
});

test("Google hints in the body alone", () => {
  const { headers } = send("google", entryOf("google", "rate_limit"));
  expect(headers).toEqual({ "content-type": "application/json; charset=UTF-8" });
});

test("OpenRouter hints on 429, 503 and one kind of 402", () => {
  for (const [fault, variant] of [
    ["rate_limit", "own"],
    ["overloaded", "unavailable"],
    ["quota", "in_flight_budget"],
  ] as const) {
    expect(send("openrouter", entryOf("openrouter", fault, variant)).headers["retry-after"]).toBe("2");
  }
  expect(send("openrouter", entryOf("openrouter", "quota", "credits")).headers["retry-after"]).toBeUndefined();
  expect(send("openrouter", entryOf("openrouter", "auth")).headers["x-generation-id"]).toMatch(/^gen-\d{10}-[0-9A-Za-z]{20}$/);
});

test("good answers have ids and limits in the same manner as errors", () => {
  const facts = { wallMs: WALL_MS, random: errorFacts().random };
  const named = (name: keyof typeof PROVIDERS) =>
    Object.fromEntries(PROVIDERS[name].answerHeaders(facts).map(([key, value]) => [key.toLowerCase(), value]));
  expect(named("openai")["x-ratelimit-remaining-requests"]).toBe("499");
  expect(named("anthropic")).toMatchObject({
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-tokens-reset": "2026-02-08T12:34:48Z",
  });
  expect(named("openrouter")["x-generation-id"]).toMatch(/^gen-/);
  for (const name of ["tetrate", "databricks"] as const)
    expect(named(name)["x-request-id"]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

/** What an SDK makes of an error, without a network. */
async function thrownBy(call: (fetch: typeof globalThis.fetch) => Promise<unknown>, sent: ReturnType<typeof send>): Promise<unknown> {
  const answer = async () => new Response(sent.text, { status: sent.status, headers: sent.headers });
  try {
    await call(Object.assign(answer, { preconnect: () => undefined }) as typeof globalThis.fetch);
  } catch (error) {
    return error;
  }
  throw new Error("the SDK took the error for an answer");
}

const MESSAGES = [{ role: "user" as const, content: "Hello" }];

function askOpenAi(fetch: typeof globalThis.fetch): Promise<unknown> {
  return new OpenAiSdk({ apiKey: "none", maxRetries: 0, fetch }).chat.completions.create({ model: "gpt-4o", messages: MESSAGES });
}

function askAnthropic(fetch: typeof globalThis.fetch): Promise<unknown> {
  return new AnthropicSdk({ apiKey: "none", maxRetries: 0, fetch }).messages.create({
    model: "claude-opus-4-5",
    max_tokens: 10,
    messages: MESSAGES,
  });
}

test("the OpenAI SDK reads code, type and request id", async () => {
  const sent = send("openai", entryOf("openai", "rate_limit"));
  const error = await thrownBy(askOpenAi, sent);
  if (!(error instanceof OpenAiSdk.RateLimitError)) throw error;
  expect(error.code).toBe("rate_limit_exceeded");
  expect(error.type).toBe("tokens");
  expect(error.requestID).toBe(sent.headers["x-request-id"]);
});

test("the OpenAI SDK finds no code and no type in Databricks' error, as with the real one", async () => {
  const error = await thrownBy(askOpenAi, send("databricks", entryOf("databricks", "rate_limit", "qps")));
  if (!(error instanceof OpenAiSdk.RateLimitError)) throw error;
  expect(error.message).toStartWith("429 REQUEST_LIMIT_EXCEEDED: Exceeded workspace QPS rate limit");
  expect([error.code, error.type]).toEqual([undefined, undefined]);
});

test("the Anthropic SDK reads type, request id and error code", async () => {
  const sent = send("anthropic", entryOf("anthropic", "rate_limit", "spend_cap"));
  const error = await thrownBy(askAnthropic, sent);
  if (!(error instanceof AnthropicSdk.RateLimitError)) throw error;
  expect(error.type).toBe("rate_limit_error");
  expect(error.requestID).toBe(sent.headers["request-id"]);
  expect(error.error).toMatchObject({
    error: { details: { error_code: "enforced_spend_limit_reached" } },
    request_id: sent.headers["request-id"],
  });
});

test("the Anthropic SDK takes 529 for a server error", async () => {
  const error = await thrownBy(askAnthropic, send("anthropic", entryOf("anthropic", "server_error")));
  if (!(error instanceof AnthropicSdk.APIError)) throw error;
  expect(error.status).toBe(529);
  expect(error.type).toBe("overloaded_error");
});
