import { type HeaderList, headerValue } from "../core/headers.ts";
import type { ErrorCatalogue, ErrorEntry, ErrorFacts, Provider } from "../core/provider.ts";
import {
  base62Id,
  bearer,
  cloudflareTextEntry,
  edgeEntry,
  entry,
  grouped,
  hintsRetry,
  isAuthPath,
  JSON_HEADERS,
  maxTokensText,
  oncePerError,
  rayId,
  retryAfter,
  rfc3339,
} from "./shared.ts";

/** Tier 1; the error texts speak of the input limit. */
const LIMITS = { requests: 50, "input-tokens": 30_000, "output-tokens": 8_000, tokens: 38_000 } as const;
const ORGANIZATION = "00000000-0000-4000-8000-000000000000";
const ERROR_TYPE_SOURCE = "anthropics/anthropic-sdk-python src/anthropic/types/shared/error_type.py (type); text unverified";

const requestId = oncePerError((random) => `req_011C${base62Id(random, 20)}`);
const vertexRequestId = oncePerError((random) => `req_vrtx_011C${base62Id(random, 20)}`);

type ErrorObject = { readonly details?: unknown; readonly type: string; readonly message: string };

/** The envelope; the header `request-id` repeats `request_id`. */
function envelope(facts: ErrorFacts, error: ErrorObject, id = requestId(facts)): unknown {
  return { type: "error", error: { ...error, message: facts.message ?? error.message }, request_id: id };
}

function plain(type: string, message: (facts: ErrorFacts) => string) {
  return (facts: ErrorFacts): unknown => envelope(facts, { type, message: message(facts) });
}

const MAX_TOKENS_SOURCE = "block/goose#3635";

const sizeEntry = entry(
  "size",
  413,
  "C",
  "anthropics/claude-code#6380, #6368",
  plain("invalid_request_error", () => "Request size exceeds model context window"),
);

const vertexEntry = entry(
  "vertex",
  413,
  "C",
  "block/goose#6976",
  (facts) => envelope(facts, { type: "invalid_request_error", message: "Prompt is too long" }, vertexRequestId(facts)),
  { headers: (facts) => [...JSON_HEADERS, ["request-id", vertexRequestId(facts)]] },
);

const overloadedEntry = entry(
  "overloaded",
  529,
  "C",
  "karthink/gptel#1512 (in a stream); vercel/ai packages/anthropic/src/anthropic-language-model.test.ts:5589 (without request_id)",
  (facts) => envelope(facts, { details: null, type: "overloaded_error", message: "Overloaded" }),
);

const spendCapEntry = entry(
  "spend_cap",
  429,
  "C",
  "docs.claude.com/en/api/rate-limits and public reports",
  (facts) =>
    envelope(facts, {
      details: { error_code: "enforced_spend_limit_reached" },
      type: "rate_limit_error",
      message: `You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based on your organization's API tier. You will regain access on ${nextMonth(facts.wallMs)} at 00:00 UTC.`,
    }),
  { retryHint: false },
);

function nextMonth(wallMs: number): string {
  const now = new Date(wallMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString().slice(0, 10);
}

const RATE_LIMIT_TAIL =
  "For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact sales at";

const errors: ErrorCatalogue = {
  context_length: [
    entry(
      "prompt",
      400,
      "F",
      "badlogic/pi-mono packages/ai/src/utils/overflow.ts:11",
      plain("invalid_request_error", (facts) => `prompt is too long: ${facts.inputTokens} tokens > ${facts.contextTokensMax} maximum`),
    ),
    entry("max_tokens", 400, "C", MAX_TOKENS_SOURCE, plain("invalid_request_error", maxTokensText)),
    sizeEntry,
    vertexEntry,
  ],
  rate_limit: [
    entry(
      "current",
      429,
      "C",
      "continuedev/continue#12057, #11664, #11306 (2026)",
      plain(
        "rate_limit_error",
        (facts) =>
          `This request would exceed your organization's rate limit of ${grouped(LIMITS["input-tokens"])} input tokens per minute (org: ${ORGANIZATION}, model: ${facts.model}). ${RATE_LIMIT_TAIL} https://claude.com/contact-sales to discuss your options for a rate limit increase.`,
      ),
    ),
    entry(
      "2025",
      429,
      "C",
      "continuedev/continue#9623 (the end of the text is that of the time, not of this report)",
      plain(
        "rate_limit_error",
        () =>
          `This request would exceed the rate limit for your organization (${ORGANIZATION}) of ${grouped(LIMITS["input-tokens"])} input tokens per minute. ${RATE_LIMIT_TAIL} https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase.`,
      ),
    ),
    entry(
      "account",
      429,
      "C",
      "anthropics/claude-code#55789 (subscription)",
      plain("rate_limit_error", () => "This request would exceed your account's rate limit. Please try again later."),
    ),
    entry(
      "acceleration",
      429,
      "S",
      "docs.claude.com/en/api/errors (acceleration limits); text unverified",
      plain(
        "rate_limit_error",
        () =>
          "Your organization's usage has increased too quickly and hit an acceleration limit. Please ramp up your traffic gradually and maintain consistent usage patterns.",
      ),
    ),
    spendCapEntry,
  ],
  server_error: [
    overloadedEntry,
    entry(
      "api_error",
      500,
      "C",
      "anthropics/claude-code#71704, #35508",
      plain("api_error", () => "Internal server error"),
    ),
  ],
  overloaded: [
    overloadedEntry,
    entry("bare", 529, "F", "vercel/ai packages/anthropic/src/anthropic-language-model.test.ts:5589", (facts) => ({
      type: "error",
      error: { details: null, type: "overloaded_error", message: facts.message ?? "Overloaded" },
    })),
  ],
  auth: [
    entry(
      "api_key",
      401,
      "C",
      "public reports of Claude clients",
      plain("authentication_error", () => "invalid x-api-key"),
    ),
  ],
  permission: [
    entry(
      "permission",
      403,
      "S",
      ERROR_TYPE_SOURCE,
      plain("permission_error", () => "Your API key does not have permission to use the specified resource."),
    ),
  ],
  quota: [
    entry(
      "credit",
      400,
      "C",
      "public reports of Claude clients",
      plain(
        "invalid_request_error",
        () => "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
      ),
    ),
    entry(
      "billing",
      402,
      "S",
      ERROR_TYPE_SOURCE,
      plain(
        "billing_error",
        () => "There is an issue with your billing or payment information. Please check your account's billing settings.",
      ),
    ),
    spendCapEntry,
  ],
  model_not_found: [
    entry(
      "model",
      404,
      "C",
      "anthropics/claude-code#5349",
      plain("not_found_error", (facts) => `model: ${facts.model}`),
    ),
  ],
  content_filter: [
    entry(
      "output_blocked",
      400,
      "C",
      "anthropics/claude-code#30485, #43487",
      plain("invalid_request_error", () => "Output blocked by content filtering policy"),
    ),
  ],
  request_too_large: [
    entry(
      "bytes",
      413,
      "C",
      "anthropics/claude-code#14567, #10314; anthropics/anthropic-sdk-python#938 (from the edge: no envelope, no request id)",
      (facts) => ({ error: { type: "request_too_large", message: facts.message ?? "Request exceeds the maximum size" } }),
      { headers: (facts) => [...JSON_HEADERS, ["server", "cloudflare"], ["cf-ray", rayId(facts)]] },
    ),
    sizeEntry,
    vertexEntry,
  ],
  timeout: [
    entry(
      "timeout_error",
      504,
      "S",
      ERROR_TYPE_SOURCE,
      plain("timeout_error", () => "Request timed out"),
    ),
    edgeEntry("cloudflare", 504),
    cloudflareTextEntry("edge_524", 524),
  ],
  bad_gateway: [edgeEntry("cloudflare", 502), edgeEntry("nginx", 502)],
};

type LimitName = keyof typeof LIMITS;

/** Names and RFC 3339 resets: docs.claude.com/en/api/rate-limits, "Response headers". */
function limitHeaders(state: (name: LimitName) => { readonly remaining: number; readonly resetMs: number }): HeaderList {
  return (Object.keys(LIMITS) as LimitName[]).flatMap((name) => {
    const { remaining, resetMs } = state(name);
    return [
      [`anthropic-ratelimit-${name}-limit`, String(LIMITS[name])],
      [`anthropic-ratelimit-${name}-remaining`, String(remaining)],
      [`anthropic-ratelimit-${name}-reset`, rfc3339(resetMs)],
    ] as const;
  });
}

function exhausted(facts: ErrorFacts): HeaderList {
  const backMs = facts.wallMs + facts.retryAfterSeconds * 1000;
  return limitHeaders((name) => {
    if (name === "input-tokens") return { remaining: 0, resetMs: backMs };
    if (name === "tokens") return { remaining: LIMITS["output-tokens"], resetMs: backMs };
    return { remaining: name === "requests" ? LIMITS.requests - 1 : LIMITS[name], resetMs: facts.wallMs };
  });
}

function errorHeaders(facts: ErrorFacts, of: ErrorEntry): HeaderList {
  return [
    ...JSON_HEADERS,
    ["request-id", requestId(facts)],
    ...(facts.status === 429 && of.retryHint !== false ? exhausted(facts) : []),
    ...(hintsRetry(facts, of) ? [retryAfter(facts)] : []),
  ];
}

const OWN_ERROR_TYPE: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** Without it a token of a login is refused with 401, "OAuth authentication is currently not supported." (anthropics/claude-code#5983). */
const OAUTH_BETA = "oauth-2025-04-20";

/** The betas that a client asks for, and one more. */
function withBeta(headers: HeaderList, beta: string): string {
  const asked = headerValue(headers, "anthropic-beta") ?? "";
  const betas = asked.split(",").map((each) => each.trim());
  return betas.includes(beta) ? asked : [...betas.filter((each) => each !== ""), beta].join(",");
}

export const anthropic: Provider = {
  name: "anthropic",
  title: "Anthropic",
  recognition: {
    prefixes: ["anthropic"],
    headers: ["x-api-key", "anthropic-version", "anthropic-beta"],
    query: [],
    paths: [/^\/v1\/messages(?:\/|$)/, /^\/v1\/complete$/, /^\/api\/(?:claude_|claude-|event_logging|oauth)/],
    keyPrefixes: ["sk-ant-"],
  },
  host: "https://api.anthropic.com",
  hostVariable: "ANTHROPIC_REAL_HOST",
  usualModel: "claude-opus-4-5-20251101",
  models: ["claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"],
  clientVariables: (origin) => [
    ["ANTHROPIC_HOST", origin],
    ["ANTHROPIC_BASE_URL", origin],
  ],
  kindOf: (path) => {
    if (isAuthPath(path)) return "auth";
    if (/^\/v1\/messages\/(?:count_tokens|batches)(?:\/|$)/.test(path)) return "metadata";
    if (/^\/v1\/(?:models|files|organizations|skills|mcp_servers|sessions|environments)(?:\/|$)/.test(path)) return "metadata";
    // Claude Code's settings, events and feedback; a fault there would not be one of the model.
    if (/^\/api\/(?!v\d)/.test(path)) return "metadata";
    return undefined;
  },
  // Its Chat Completions are for trying things out only (platform.claude.com, "OpenAI SDK compatibility"): they are translated instead.
  apis: [{ dialect: "messages", root: "/v1" }],
  credentialFields: ({ kind, secret }, _dialect, headers) =>
    kind === "oauth" ? [...bearer({ secret }), ["anthropic-beta", withBeta(headers, OAUTH_BETA)]] : [["x-api-key", secret]],
  fieldsFor: (headers) => (headerValue(headers, "anthropic-version") === undefined ? [["anthropic-version", "2023-06-01"]] : []),
  errors,
  errorHeaders,
  streamErrors: {},
  answerHeaders: ({ wallMs, random }) => [
    ["request-id", `req_011C${base62Id(random, 20)}`],
    ...limitHeaders((name) => ({ remaining: LIMITS[name] - 1, resetMs: wallMs })),
  ],
  ownError: (status, _code, message) => ({
    type: "error",
    error: { type: OWN_ERROR_TYPE[status] ?? (status < 500 ? "invalid_request_error" : "api_error"), message },
  }),
};
