import type { HeaderList } from "../core/headers.ts";
import type { ErrorCatalogue, ErrorContext, ErrorEntry, ErrorFacts, Provider, StreamErrorEntry } from "../core/provider.ts";
import { COMPATIBLE_ERRORS, COMPATIBLE_STREAM_ERRORS } from "./openai-compatible/index.ts";
import {
  bearer,
  cloudflareTextEntry,
  edgeEntry,
  entry,
  goDuration,
  hexId,
  hintsRetry,
  isAuthPath,
  JSON_HEADERS,
  oncePerError,
  openaiBody,
  openaiOwnError,
  retryAfter,
  tokensOwed,
} from "./shared.ts";

/** Tier 1 of a large model; the limits in error texts and headers agree with them. */
const REQUESTS_PER_MINUTE = 500;
const TOKENS_PER_MINUTE_TIERS = [30_000, 450_000, 2_000_000, 30_000_000] as const;
const ORGANIZATION = "org-abc";
const LEARN_MORE = "Visit https://platform.openai.com/account/rate-limits to learn more.";
const ERROR_CODES_PAGE = "developers.openai.com/api/docs/guides/error-codes";
const QUOTA_TEXT =
  "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";
const SERVER_ERROR_TEXT =
  "The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error.";

/** Limit, used and requested tokens, so that the bucket really needs `retryAfterSeconds` to refill where that is possible. */
function tokenBucket(facts: ErrorFacts): { readonly limit: number; readonly used: number; readonly requested: number } {
  const requested = Math.max(1, facts.inputTokens);
  const limit = TOKENS_PER_MINUTE_TIERS.find((tier) => tier >= requested) ?? requested;
  return { limit, used: Math.min(limit, limit - requested + tokensOwed(facts.retryAfterSeconds, limit)), requested };
}

/** Requests a minute, from the wait: one request more than fits has to wait 60 s / limit. */
function requestLimit(facts: ErrorFacts): number {
  return Math.max(1, Math.round(60 / Math.max(0.001, facts.retryAfterSeconds)));
}

function rateLimitText(facts: ErrorFacts, what: string, numbers: string): string {
  return `Rate limit reached for ${facts.model} in organization ${ORGANIZATION} on ${what}: ${numbers}. Please try again in ${goDuration(facts.retryAfterSeconds)}. ${LEARN_MORE}`;
}

function contextError(facts: ErrorFacts, message: string, param: string): unknown {
  return openaiBody(facts, { message, type: "invalid_request_error", param, code: "context_length_exceeded" });
}

function quotaError(code: string, message: string) {
  return (facts: ErrorFacts): unknown => openaiBody(facts, { message, type: "insufficient_quota", code });
}

const NEVER_COMES_BACK = { retryHint: false } as const;

function billing(code: string, message: string): ErrorEntry {
  return entry(code, 429, "S", `${ERROR_CODES_PAGE} (type and code); text unverified`, quotaError(code, message), NEVER_COMES_BACK);
}

const errors: ErrorCatalogue = {
  context_length: [
    entry("chat", 400, "C", "crewAIInc/crewAI-examples#121, chathub-dev/chathub#126", (facts) =>
      contextError(
        facts,
        `This model's maximum context length is ${facts.contextTokensMax} tokens. However, your messages resulted in ${facts.inputTokens} tokens. Please reduce the length of the messages.`,
        "messages",
      ),
    ),
    entry("completion", 400, "C", "mckaywrigley/chatbot-ui#102", (facts) =>
      contextError(
        facts,
        `This model's maximum context length is ${facts.contextTokensMax} tokens. However, you requested ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} in the messages, ${facts.outputTokensMax} in the completion). Please reduce the length of the messages or completion.`,
        "messages",
      ),
    ),
    entry(
      "responses",
      400,
      "S",
      "openai/codex codex-rs/codex-api/src/sse/responses.rs (text and code, in the stream); HTTP form unverified",
      (facts) =>
        contextError(facts, "Your input exceeds the context window of this model. Please adjust your input and try again.", "input"),
      { dialect: "responses" },
    ),
    ...COMPATIBLE_ERRORS.context_length,
  ],
  rate_limit: [
    entry("tokens", 429, "C", "openai/codex codex-rs/codex-api/src/sse/responses.rs (text); shape as in many public reports", (facts) => {
      const { limit, used, requested } = tokenBucket(facts);
      return openaiBody(facts, {
        message: rateLimitText(facts, "tokens per min (TPM)", `Limit ${limit}, Used ${used}, Requested ${requested}`),
        type: "tokens",
        code: "rate_limit_exceeded",
      });
    }),
    entry("requests", 429, "C", "shape and text as in many public reports", (facts) => {
      const limit = requestLimit(facts);
      return openaiBody(facts, {
        message: rateLimitText(facts, "requests per min (RPM)", `Limit ${limit}, Used ${limit}, Requested 1`),
        type: "requests",
        code: "rate_limit_exceeded",
      });
    }),
    entry(
      "request_too_large",
      429,
      "C",
      "vanderschaarlab/climb#1",
      (facts) => {
        const limit = TOKENS_PER_MINUTE_TIERS[0];
        const requested = facts.inputTokens > limit ? facts.inputTokens : limit + 601;
        return openaiBody(facts, {
          message: `Request too large for ${facts.model} in organization ${ORGANIZATION} on tokens per min (TPM): Limit ${limit}, Requested ${requested}. The input or output tokens must be reduced in order to run successfully. ${LEARN_MORE}`,
          type: "tokens",
          code: "rate_limit_exceeded",
        });
      },
      NEVER_COMES_BACK,
    ),
    entry("slow_down", 429, "S", `${ERROR_CODES_PAGE} (type and code); text unverified`, (facts) =>
      openaiBody(facts, {
        message: "Your requests have increased too quickly. Please slow down and ramp up your traffic gradually.",
        type: "rate_limit_error",
        code: "slow_down",
      }),
    ),
    entry(
      "usage_limit_reached",
      429,
      "F",
      "openai/codex codex-rs/codex-api/src/api_bridge.rs (ChatGPT plan)",
      (facts) => ({ error: { type: "usage_limit_reached", plan_type: "pro", resets_at: planResetSeconds(facts) } }),
      {
        headers: (facts) => [
          ...JSON_HEADERS,
          ["x-codex-active-limit", "codex"],
          ["x-codex-primary-used-percent", "100.0"],
          ["x-codex-primary-window-minutes", "300"],
          ["x-codex-primary-reset-at", String(planResetSeconds(facts))],
        ],
        retryHint: false,
      },
    ),
    ...COMPATIBLE_ERRORS.rate_limit,
  ],
  server_error: [
    entry("internal_server_error", 500, "U", "the original proxy's default; the captured form is variant=server_error", (facts) =>
      openaiBody(facts, { message: SERVER_ERROR_TEXT, type: "server_error", code: "internal_server_error" }),
    ),
    entry("server_error", 500, "F", "vercel/ai packages/openai/src/chat/openai-chat-language-model.test.ts:3269", (facts) =>
      openaiBody(facts, { message: SERVER_ERROR_TEXT, type: "server_error", code: null }),
    ),
    ...COMPATIBLE_ERRORS.server_error,
  ],
  overloaded: [
    entry("server_is_overloaded", 503, "S", `${ERROR_CODES_PAGE} (type and code); text unverified`, (facts) =>
      overloadedError(facts, "server_is_overloaded", "The engine is currently overloaded, please try again later."),
    ),
    entry("at_capacity", 503, "S", "openai/codex#43682, #46142 (text, in the stream); HTTP form unverified", (facts) =>
      overloadedError(facts, "server_is_overloaded", "Selected model is at capacity. Please try a different model."),
    ),
    entry("slow_down", 503, "S", `${ERROR_CODES_PAGE} (the code on 503 before server_is_overloaded); text unverified`, (facts) =>
      overloadedError(facts, "slow_down", "The engine is currently overloaded, please try again later."),
    ),
    ...COMPATIBLE_ERRORS.overloaded,
  ],
  auth: [
    entry("invalid_api_key", 401, "C", "chatanywhere/GPT_API_free#62", (facts) =>
      openaiBody(facts, {
        message: `Incorrect API key provided: ${facts.maskedKey}. You can find your API key at https://platform.openai.com/account/api-keys.`,
        type: "invalid_request_error",
        code: "invalid_api_key",
      }),
    ),
    ...COMPATIBLE_ERRORS.auth,
  ],
  permission: [
    entry("unsupported_country", 403, "C", "home-assistant/core#120072, continuedev/continue#11449", (facts) => ({
      error: {
        code: "unsupported_country_region_territory",
        message: facts.message ?? "Country, region, or territory not supported",
        param: null,
        type: "request_forbidden",
      },
    })),
    entry("model_access", 403, "S", `${ERROR_CODES_PAGE} (status); text unverified`, (facts) =>
      openaiBody(facts, {
        message: `Project \`proj_abc\` does not have access to model \`${facts.model}\``,
        type: "invalid_request_error",
        code: "model_not_found",
      }),
    ),
  ],
  quota: [
    entry(
      "insufficient_quota",
      429,
      "F",
      "vercel/ai packages/openai/src/responses/__fixtures__/openai-error.1.json",
      quotaError("insufficient_quota", QUOTA_TEXT),
      NEVER_COMES_BACK,
    ),
    billing("credit_balance_exhausted", "Your credit balance is exhausted. Add credits to continue; retrying will not restore access."),
    billing("organization_spend_limit_exceeded", "Your organization has reached its spend limit. Retrying will not restore access."),
    billing("project_spend_limit_exceeded", "Your project has reached its spend limit. Retrying will not restore access."),
    billing("organization_usage_limit_exceeded", "Your organization has reached its usage limit. Retrying will not restore access."),
    ...COMPATIBLE_ERRORS.quota,
  ],
  model_not_found: [
    entry("model_not_found", 404, "C", "shobrook/wut#14, jianchang512/pyvideotrans#499", (facts) =>
      openaiBody(facts, {
        message: `The model \`${facts.model}\` does not exist or you do not have access to it.`,
        type: "invalid_request_error",
        code: "model_not_found",
      }),
    ),
    ...COMPATIBLE_ERRORS.model_not_found,
  ],
  content_filter: [
    entry("content_policy_violation", 400, "S", `${ERROR_CODES_PAGE} (code, images); text unverified`, (facts) =>
      openaiBody(facts, {
        message: "Your request was rejected as a result of our safety system.",
        type: "invalid_request_error",
        code: "content_policy_violation",
      }),
    ),
    entry("invalid_prompt", 400, "S", "openai/openai-openapi openapi.yaml:58179 (code); text unverified", (facts) =>
      openaiBody(facts, {
        message:
          "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.",
        type: "invalid_request_error",
        code: "invalid_prompt",
      }),
    ),
    entry("cyber_policy", 400, "S", "openai/codex codex-rs/codex-api/src/api_bridge.rs (code); text unverified", (facts) =>
      openaiBody(facts, {
        message: "This request was flagged as potentially violating our cybersecurity policy.",
        type: "invalid_request_error",
        code: "cyber_policy",
      }),
    ),
    ...COMPATIBLE_ERRORS.content_filter,
  ],
  request_too_large: [
    entry("body", 413, "U", "no public capture", (facts) =>
      openaiBody(facts, { message: "Request body is too large.", type: "invalid_request_error", code: "request_too_large" }),
    ),
    edgeEntry("nginx", 413),
    ...COMPATIBLE_ERRORS.request_too_large,
  ],
  timeout: [
    edgeEntry("cloudflare", 504),
    entry("request_timeout", 408, "U", "no public capture", () => "", { headers: () => [] }),
    cloudflareTextEntry("edge_524", 524),
  ],
  bad_gateway: [edgeEntry("cloudflare", 502), edgeEntry("nginx", 502)],
};

function overloadedError(facts: ErrorFacts, code: string, message: string): unknown {
  return openaiBody(facts, { message, type: "service_unavailable_error", code });
}

function planResetSeconds(facts: ErrorFacts): number {
  return Math.ceil(facts.wallMs / 1000 + facts.retryAfterSeconds);
}

const requestId = oncePerError((random) => `req_${hexId(random, 32)}`);

type LimitState = {
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
};

/** Names and Go durations: developers.openai.com/api/docs/guides/rate-limits, "Rate limits in headers". */
function limitHeaders(requests: LimitState, tokens: LimitState): HeaderList {
  return [
    ["x-ratelimit-limit-requests", String(requests.limit)],
    ["x-ratelimit-limit-tokens", String(tokens.limit)],
    ["x-ratelimit-remaining-requests", String(requests.remaining)],
    ["x-ratelimit-remaining-tokens", String(tokens.remaining)],
    ["x-ratelimit-reset-requests", goDuration(requests.resetSeconds)],
    ["x-ratelimit-reset-tokens", goDuration(tokens.resetSeconds)],
  ];
}

const CALM_REQUESTS: LimitState = {
  limit: REQUESTS_PER_MINUTE,
  remaining: REQUESTS_PER_MINUTE - 1,
  resetSeconds: 60 / REQUESTS_PER_MINUTE,
};
const CALM_TOKENS: LimitState = { limit: TOKENS_PER_MINUTE_TIERS[0], remaining: TOKENS_PER_MINUTE_TIERS[0] - 16, resetSeconds: 0.032 };

/** The limit that was hit resets when the text says to try again. */
function exhaustedLimitHeaders(facts: ErrorFacts, of: ErrorEntry): HeaderList {
  if (of.variant === "requests") {
    return limitHeaders({ limit: requestLimit(facts), remaining: 0, resetSeconds: facts.retryAfterSeconds }, CALM_TOKENS);
  }
  const { limit, used } = tokenBucket(facts);
  return limitHeaders(CALM_REQUESTS, { limit, remaining: limit - used, resetSeconds: facts.retryAfterSeconds });
}

/** `retry-after-ms` is what the official SDKs look at first. */
function retryHeaders(facts: ErrorFacts): HeaderList {
  return [retryAfter(facts), ["retry-after-ms", String(Math.max(1, Math.round(facts.retryAfterSeconds * 1000)))]];
}

function identityHeaders(id: string, random: ErrorContext["random"]): HeaderList {
  return [
    ["x-request-id", id],
    ["openai-organization", ORGANIZATION],
    ["openai-processing-ms", String(20 + Math.floor(random.next() * 400))],
    ["openai-version", "2020-10-01"],
  ];
}

const STREAM_SOURCE = "vercel/ai packages/openai/src/chat/openai-chat-language-model.test.ts:3266";

function streamServerError(facts: ErrorFacts): string {
  return `data: ${JSON.stringify(openaiBody(facts, { message: SERVER_ERROR_TEXT, type: "server_error", code: null }))}\n\n`;
}

/** The dialect's own forms again, because a provider's list stands in place of the dialect's. */
const OWN_STREAM_ERRORS: readonly [StreamErrorEntry, ...StreamErrorEntry[]] = [
  { variant: "server_error", evidence: "F", source: STREAM_SOURCE, text: streamServerError, done: true },
  { variant: "closed", evidence: "F", source: `${STREAM_SOURCE}; the stream ends without [DONE]`, text: streamServerError, done: false },
  {
    variant: "numeric_code",
    evidence: "F",
    source: "vercel/ai packages/openai/src/chat/openai-chat-language-model.test.ts:3292",
    text: (facts) => `data: ${JSON.stringify(openaiBody(facts, { message: "bad request", type: "provider_error", code: 400 }))}\n\n`,
    done: true,
  },
];

export const openai: Provider = {
  name: "openai",
  title: "OpenAI",
  recognition: {
    prefixes: ["openai"],
    // Nothing by header or path: every compatible provider takes the same ones, and OpenAI is what is left.
    headers: [],
    query: [],
    paths: [],
    keyPrefixes: ["sk-proj-", "sk-svcacct-", "sk-admin-"],
  },
  host: "https://api.openai.com",
  hostVariable: "OPENAI_REAL_HOST",
  usualModel: "gpt-4o",
  models: ["gpt-5.1", "gpt-5-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"],
  // OPENAI_HOST is joined with v1/… by its readers; the two others already end where the SDKs append `/chat/completions`.
  clientVariables: (origin) => [
    ["OPENAI_HOST", origin],
    ["OPENAI_BASE_URL", `${origin}/v1`],
    ["OPENAI_API_BASE", `${origin}/v1`],
  ],
  kindOf: (path) => {
    if (isAuthPath(path)) return "auth";
    if (
      /^(?:\/v\d\w*)?\/(?:models|files|uploads|batches|fine_tuning|vector_stores|organization|usage|dashboard|evals|containers|conversations|assistants)(?:\/|$)/.test(
        path,
      )
    )
      return "metadata";
    if (/^(?:\/v\d\w*)?\/responses\/(?:input_tokens|[^/]+\/(?:cancel|input_items))$/.test(path)) return "metadata";
    // Ollama, which stands behind this provider too.
    if (/^\/api\/(?:tags|show|ps|version|pull|push|create|copy|delete)$/.test(path)) return "metadata";
    return undefined;
  },
  apis: [
    { dialect: "chat", root: "/v1" },
    { dialect: "responses", root: "/v1" },
  ],
  credentialFields: bearer,
  errors,
  errorHeaders: (facts, of) => [
    ...JSON_HEADERS,
    ...identityHeaders(requestId(facts), facts.random),
    ...(facts.status === 429 && of.retryHint !== false ? exhaustedLimitHeaders(facts, of) : []),
    ...(hintsRetry(facts, of) ? retryHeaders(facts) : []),
  ],
  streamErrors: { chat: [...OWN_STREAM_ERRORS, ...COMPATIBLE_STREAM_ERRORS] },
  answerHeaders: ({ random }) => [...identityHeaders(`req_${hexId(random, 32)}`, random), ...limitHeaders(CALM_REQUESTS, CALM_TOKENS)],
  ownError: openaiOwnError,
};
