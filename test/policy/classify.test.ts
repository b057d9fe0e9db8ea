import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ForwardFailure } from "../../src/core/exchange.ts";
import { FAILURE_CLASSES, type Failure, type FailureClass } from "../../src/core/failure.ts";
import type { HeaderList } from "../../src/core/headers.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { classify, classifyStreamError, failureInAnswer, failureOfAnswer, failureOfForward } from "../../src/policy/classify.ts";
import { WALL_MS } from "../providers/error-facts.ts";

const RATE_LIMIT = '{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}';

describe("statuses alone", () => {
  const table: readonly (readonly [number, FailureClass | undefined])[] = [
    [200, undefined],
    [204, undefined],
    [304, undefined],
    [399, undefined],
    [400, "client"],
    [401, "auth"],
    [402, "quota"],
    [403, "auth"],
    [404, "client"],
    [405, "client"],
    [408, "degraded"],
    [409, "client"],
    [413, "client"],
    [422, "client"],
    [500, "degraded"],
    [501, "degraded"],
    [502, "degraded"],
    [503, "degraded"],
    [504, "degraded"],
    [520, "degraded"],
    [529, "degraded"],
    [599, "degraded"],
  ];
  test.each(PROVIDER_NAMES.flatMap((provider) => table.map(([status, expected]) => [provider, status, expected] as const)))(
    "%s %i without a body",
    (provider, status, expected) => {
      expect(classify(provider, { status, headers: [], body: "" })).toBe(expected);
    },
  );
});

describe("a 429 by its headers", () => {
  const table: readonly (readonly [ProviderName, HeaderList, FailureClass])[] = [
    ["openai", [], "global_rate_limit"],
    ["openai", [["Content-Type", "application/json"]], "global_rate_limit"],
    ["openai", [["Retry-After", "2"]], "local_rate_limit"],
    ["openai", [["retry-after-ms", "2000"]], "local_rate_limit"],
    ["openai", [["X-RateLimit-Limit-Requests", "60"]], "local_rate_limit"],
    ["openai", [["x-ratelimit-remaining-requests", "0"]], "local_rate_limit"],
    [
      "openai",
      [
        ["X-RateLimit-Remaining-Requests", "0"],
        ["x-ratelimit-remaining-tokens", " 0 "],
      ],
      "global_rate_limit",
    ],
    [
      "openai",
      [
        ["x-ratelimit-remaining-requests", "0"],
        ["x-ratelimit-remaining-tokens", "1"],
      ],
      "local_rate_limit",
    ],
    ["openai", [["retry-after", "59.9"]], "local_rate_limit"],
    ["openai", [["retry-after", "60"]], "global_rate_limit"],
    ["openai", [["retry-after-ms", "60000"]], "global_rate_limit"],
    ["anthropic", [], "local_rate_limit"],
    ["anthropic", [["retry-after", "60"]], "global_rate_limit"],
    [
      "anthropic",
      [
        ["date", "Sun, 08 Feb 2026 12:34:48 GMT"],
        ["retry-after", "Sun, 08 Feb 2026 12:35:48 GMT"],
      ],
      "global_rate_limit",
    ],
    [
      "anthropic",
      [
        ["date", "Sun, 08 Feb 2026 12:34:48 GMT"],
        ["retry-after", "Sun, 08 Feb 2026 12:35:47 GMT"],
      ],
      "local_rate_limit",
    ],
    ["anthropic", [["retry-after", "Sun, 08 Feb 2036 12:35:48 GMT"]], "local_rate_limit"],
    [
      "anthropic",
      [
        ["anthropic-ratelimit-requests-remaining", "0"],
        ["anthropic-ratelimit-tokens-remaining", "0"],
      ],
      "global_rate_limit",
    ],
    [
      "anthropic",
      [
        ["anthropic-ratelimit-requests-remaining", "0"],
        ["anthropic-ratelimit-input-tokens-remaining", "0"],
      ],
      "global_rate_limit",
    ],
    [
      "anthropic",
      [
        ["anthropic-ratelimit-requests-remaining", "4"],
        ["anthropic-ratelimit-tokens-remaining", "0"],
      ],
      "local_rate_limit",
    ],
    ["google", [["retry-after", "600"]], "local_rate_limit"],
    ["openrouter", [["retry-after", "600"]], "local_rate_limit"],
    ["tetrate", [], "local_rate_limit"],
    ["databricks", [], "local_rate_limit"],
  ];
  test.each(table)("%s %j", (provider, headers, expected) => {
    expect(classify(provider, { status: 429, headers, body: RATE_LIMIT })).toBe(expected);
  });
});

describe("what the body says counts before the status", () => {
  test.each<readonly [ProviderName, number, string, FailureClass]>([
    ["openai", 403, '{"error":{"message":"Quota exceeded for this project.","code":"forbidden"}}', "quota"],
    ["anthropic", 403, '{"type":"error","error":{"type":"permission_error","message":"Your billing is not set up."}}', "quota"],
    ["openrouter", 403, '{"error":{"message":"Key limit exceeded (daily limit). Manage it using …","code":403}}', "quota"],
    ["google", 403, '{"error":{"code":403,"message":"Billing has not been enabled.","status":"PERMISSION_DENIED"}}', "quota"],
    ["openai", 403, "<html><title>403</title>Pay your bill: billing, quota, credit</html>", "auth"],
    ["openai", 400, '{"error":{"message":"Billing hard limit has been reached","code":"billing_hard_limit_reached"}}', "quota"],
    [
      "openai",
      429,
      '{"error":{"message":"Your account is not active, please check your billing details.","code":"billing_not_active"}}',
      "quota",
    ],
    ["openai", 429, '{"error":{"message":"You exceeded your current quota, please check your plan and billing details."}}', "quota"],
    [
      "google",
      429,
      '{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}',
      "global_rate_limit",
    ],
    // An OpenAI-like front of Google's: it is no account without credit.
    [
      "openai",
      429,
      '[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}]',
      "local_rate_limit",
    ],
    [
      "google",
      429,
      '{"error":{"code":429,"message":"x","details":[{"violations":[{"quotaId":"A-PerMinute"},{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}',
      "quota",
    ],
    [
      "openrouter",
      400,
      '{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\\"error\\":{\\"message\\":\\"prompt is too long: 3 tokens > 2 maximum\\"}}"}}}',
      "context_window",
    ],
    [
      "openrouter",
      429,
      '{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\\"error\\":{\\"code\\":\\"insufficient_quota\\"}}"}}}',
      "quota",
    ],
    [
      "openai",
      500,
      '{"error":{"message":"litellm.BadRequestError: This model\'s maximum context length is 8192 tokens."}}',
      "context_window",
    ],
    ["openai", 503, '{"error":{"message":"The model is overloaded; reduce the length of the messages"}}', "degraded"],
    [
      "anthropic",
      429,
      '{"error":{"type":"rate_limit_error","message":"rate limit … Please reduce the length of the messages"}}',
      "local_rate_limit",
    ],
    ["openai", 400, "Incorrect API key provided: sk-…", "auth"],
    ["openai", 422, '{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}', "client"],
    ["openai", 400, '{"message":"Input is too long for requested model."}', "context_window"],
    // What the client wrote comes back in fields that are not read.
    [
      "openai",
      400,
      '{"error":{"message":"Invalid value","code":"invalid_value"},"input":"billing quota, content policy, context window"}',
      "client",
    ],
  ])("%s %i %s", (provider, status, body, expected) => {
    expect(classify(provider, { status, headers: [["retry-after", "1"]], body })).toBe(expected);
  });
});

describe("an answer that asks not to be repeated", () => {
  const wallMs = WALL_MS;
  const degraded: HeaderList = [
    ["X-Llm-Proxy-Error-Class", "provider_degraded"],
    ["Retry-After", "30"],
  ];
  const final: Failure = { class: "degraded", isSilent: false, retryAfterMs: 30_000, isFinal: true };

  test("a gateway that has given up is a degraded target, whatever its status and text", () => {
    expect(failureOfAnswer("openai", { status: 503, headers: degraded, body: "" }, wallMs)).toEqual(final);
    expect(failureOfAnswer("openai", { status: 429, headers: degraded, body: '{"error":{"code":"insufficient_quota"}}' }, wallMs)).toEqual(
      final,
    );
    expect(failureInAnswer("openai", degraded, '{"error":{"message":"x"}}', wallMs)).toEqual(final);
  });

  test("its header on a good answer is no failure", () => {
    expect(failureOfAnswer("openai", { status: 200, headers: degraded, body: "" }, wallMs)).toBeUndefined();
    expect(failureInAnswer("openai", degraded, '{"choices":[]}', wallMs)).toBeUndefined();
  });

  test("x-should-retry: false is obeyed, true says nothing new", () => {
    const answer = (value: string) => failureOfAnswer("anthropic", { status: 500, headers: [["x-should-retry", value]], body: "" }, wallMs);
    expect(answer("false")).toEqual({ class: "degraded", isSilent: false, retryAfterMs: undefined, isFinal: true });
    expect(answer("true")).toEqual({ class: "degraded", isSilent: false, retryAfterMs: undefined });
  });

  test("a request that no minute has room for is not sent again", () => {
    const body =
      '{"error":{"message":"Request too large for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000","type":"tokens","code":"rate_limit_exceeded"}}';
    expect(failureOfAnswer("openai", { status: 429, headers: [], body }, wallMs)).toEqual({
      class: "local_rate_limit",
      isSilent: false,
      retryAfterMs: undefined,
      isFinal: true,
    });
  });

  test("the wait of an error inside a stream comes from its text", () => {
    const payload =
      '{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 11.054s."}}}';
    expect(failureInAnswer("openai", [["retry-after", "nonsense"]], payload, wallMs)).toEqual({
      class: "local_rate_limit",
      isSilent: false,
      retryAfterMs: 11_054,
    });
  });
});

describe("no answer at all", () => {
  const degraded: Failure = { class: "degraded", isSilent: false, retryAfterMs: undefined };
  const table: Readonly<Record<ForwardFailure["reason"], Failure | undefined>> = {
    client_gone: undefined,
    no_upstream: undefined,
    client_certificate: undefined,
    time_budget: undefined,
    request_too_large: undefined,
    upstream_timeout: { ...degraded, isSilent: true },
    upstream_refused: degraded,
    upstream_dns: degraded,
    upstream_tls: degraded,
    upstream_closed_early: degraded,
    upstream_protocol: degraded,
  };
  test.each(Object.entries(table) as [ForwardFailure["reason"], Failure | undefined][])("%s", (reason, expected) => {
    expect(failureOfForward({ kind: "failure", reason, detail: "" })).toEqual(expected);
  });
});

const anyText = fc.oneof(
  fc.string(),
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify({ error: value })),
  fc.record({ message: fc.jsonValue(), code: fc.jsonValue(), details: fc.jsonValue() }).map((error) => JSON.stringify({ error })),
);

test("whatever a target sends, an error has a class, and nothing throws", () => {
  fc.assert(
    fc.property(fc.constantFrom(...PROVIDER_NAMES), fc.integer({ min: 400, max: 599 }), anyText, (provider, status, body) => {
      const found = classify(provider, { status, headers: [], body });
      expect(FAILURE_CLASSES).toContain(found ?? ("none" as FailureClass));
      const inside = classifyStreamError(provider, [], body);
      if (inside !== undefined) expect(FAILURE_CLASSES).toContain(inside);
    }),
  );
});

test("no text takes long, and deep nesting is left alone", () => {
  const hostile = [
    "try again in ".repeat(200_000),
    `{"error":{"message":${JSON.stringify("input token count ".repeat(200_000))}}}`,
    JSON.stringify({ error: { message: "1".repeat(3_000_000) } }),
    `${'{"error":'.repeat(2_000)}{}${"}".repeat(2_000)}`,
    `[${'{"error":{"message":"a"}},'.repeat(50_000)}{}]`,
    JSON.stringify({ message: Array.from({ length: 8 }).reduce<string>((inner) => JSON.stringify({ message: inner }), "x") }),
  ];
  const startMs = performance.now();
  for (const body of hostile) expect(failureOfAnswer("openai", { status: 500, headers: [], body }, WALL_MS)?.class).toBe("degraded");
  expect(performance.now() - startMs).toBeLessThan(2_000);
});
