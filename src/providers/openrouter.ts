import type { HeaderList } from "../core/headers.ts";
import type { ErrorCatalogue, ErrorEntry, ErrorFacts, Evidence, Provider, StreamErrorFacts } from "../core/provider.ts";
import { base62Id, bearer, edgeEntry, entry, hintsRetry, isAuthPath, JSON_HEADERS, oncePerError, retryAfter } from "./shared.ts";

const DOCS = "openrouter.ai/docs/api/reference/errors-and-debugging";
const SDK = "OpenRouterTeam/typescript-sdk docs/models/*responseerrordata.mdx";
const SDK_TYPES = "OpenRouterTeam/typescript-sdk docs/models/apierrortype.mdx (error_type)";

/** `code` repeats the HTTP status as a number. */
function errorObject(facts: ErrorFacts, message: string, metadata?: object): { readonly error: object } {
  return { error: { message: facts.message ?? message, code: facts.status, ...(metadata === undefined ? {} : { metadata }) } };
}

function simple(variant: string, status: number, evidence: Evidence, source: string, message: string, metadata?: object): ErrorEntry {
  return entry(variant, status, evidence, source, (facts) => errorObject(facts, message, metadata));
}

/** The typed form of the newer schema. */
function typed(status: number, errorType: string, message: string): ErrorEntry {
  return simple("typed", status, "S", SDK_TYPES, message, { error_type: errorType });
}

function contextText(facts: ErrorFacts): string {
  return `This endpoint's maximum context length is ${facts.contextTokensMax} tokens. However, you requested about ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} of text input, ${facts.outputTokensMax} in the output). Please reduce the length of either one, or use the "middle-out" transform to compress your prompt automatically.`;
}

const PROVIDER_ERROR = "Provider returned error";

/** openrouter.ai/docs/api/reference/errors-and-debugging */
const HINTING: readonly number[] = [429, 503];

const errors: ErrorCatalogue = {
  context_length: [
    entry("endpoint", 400, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts:16 (the first two sentences)", (facts) =>
      errorObject(facts, contextText(facts)),
    ),
    entry("typed", 400, "S", SDK_TYPES, (facts) => errorObject(facts, contextText(facts), { error_type: "context_length_exceeded" })),
  ],
  rate_limit: [
    simple("own", 429, "F", SDK, "Rate limit exceeded"),
    entry("upstream", 429, "C", "public captures of a shared pool's limit", (facts) =>
      errorObject(facts, PROVIDER_ERROR, {
        raw: `${facts.model} is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations`,
        provider_name: "DeepInfra",
        is_byok: false,
        provider_error_code: "engine_overloaded",
        limit_source: "upstream_provider_shared_pool",
        remedy_hint: "Retry shortly, or add your own provider key.",
      }),
    ),
    typed(429, "rate_limit_exceeded", "Rate limit exceeded"),
  ],
  server_error: [
    simple("internal", 500, "F", SDK, "Internal Server Error"),
    simple("provider", 502, "F", SDK, PROVIDER_ERROR),
    typed(500, "server", "Internal Server Error"),
  ],
  overloaded: [
    simple("unavailable", 503, "F", SDK, "Service temporarily unavailable"),
    simple("provider", 529, "F", SDK, PROVIDER_ERROR),
    typed(529, "provider_overloaded", PROVIDER_ERROR),
  ],
  auth: [
    simple("missing_header", 401, "F", SDK, "Missing Authentication header"),
    simple("user_not_found", 401, "U", "no public capture", "User not found."),
    typed(401, "authentication", "Missing Authentication header"),
  ],
  permission: [
    simple("management_key", 403, "F", SDK, "Only management keys can perform this operation"),
    typed(403, "permission_denied", "Only management keys can perform this operation"),
  ],
  quota: [
    simple("credits", 402, "F", SDK, "Insufficient credits. Add more using https://openrouter.ai/credits"),
    entry(
      "in_flight_budget",
      402,
      "S",
      `${DOCS} (metadata, and Retry-After with this 402 only); text unverified`,
      (facts) =>
        errorObject(facts, "Insufficient credits for the requests that are in flight. Please retry when they have finished.", {
          limit_source: "openrouter_in_flight_budget",
        }),
      { headers: (facts) => [...identityHeaders(facts), retryAfter(facts, "Retry-After")] },
    ),
    typed(402, "payment_required", "Insufficient credits. Add more using https://openrouter.ai/credits"),
  ],
  model_not_found: [
    entry("invalid_id", 400, "C", "maxnowack/anthropic-proxy#4, RightNow-AI/openfang#697, sipeed/picoclaw#1790", (facts) => ({
      ...errorObject(facts, `${facts.model} is not a valid model ID`),
      user_id: userId(facts),
    })),
    simple("not_found", 404, "F", SDK, "Resource not found"),
    typed(404, "not_found", "Resource not found"),
  ],
  content_filter: [
    entry("moderation", 403, "S", `${DOCS} (moderation metadata); text unverified`, (facts) =>
      errorObject(facts, `${facts.model} requires moderation. Your input was flagged.`, {
        reasons: ["violence"],
        flagged_input: "…",
        provider_name: "OpenAI",
        model_slug: facts.model,
      }),
    ),
    typed(403, "content_policy_violation", "Your input was flagged."),
  ],
  request_too_large: [
    simple("payload", 413, "F", SDK, "Request payload too large"),
    typed(413, "payload_too_large", "Request payload too large"),
  ],
  timeout: [
    simple("operation", 408, "F", SDK, "Operation timed out. Please try again later."),
    simple("edge", 524, "F", SDK, "Request timed out. Please try again later."),
    typed(408, "timeout", "Operation timed out. Please try again later."),
  ],
  bad_gateway: [edgeEntry("cloudflare", 502), simple("provider", 502, "F", SDK, PROVIDER_ERROR)],
};

const generationSuffix = oncePerError((random) => base62Id(random, 20));
const userId = oncePerError((random) => `user_2${base62Id(random, 26)}`);

/** `gen-` with the second and 20 letters and digits. */
function generationId(wallMs: number, suffix: string): string {
  return `gen-${Math.floor(wallMs / 1000)}-${suffix}`;
}

function identityHeaders(facts: ErrorFacts): HeaderList {
  return [...JSON_HEADERS, ["X-Generation-Id", generationId(facts.wallMs, generationSuffix(facts))]];
}

/** The vendor's part of `vendor/model`, as the chunks' `provider` names it. */
function vendor(model: string): string {
  const slash = model.indexOf("/");
  return slash > 0 ? model.slice(0, slash) : "openai";
}

/** The id of the answer that the error breaks off: that of its first chunk, where one came. */
function answerId(facts: StreamErrorFacts): string {
  try {
    const first: unknown = JSON.parse(facts.firstData ?? "null");
    if (typeof first === "object" && first !== null && "id" in first && typeof first.id === "string") return first.id;
  } catch {
    // Not JSON: the provider's first frame may be anything.
  }
  return generationId(facts.wallMs, generationSuffix(facts));
}

function errorChunk(facts: StreamErrorFacts, error: object): string {
  const chunk = {
    id: answerId(facts),
    object: "chat.completion.chunk",
    created: Math.floor(facts.wallMs / 1000),
    model: facts.model,
    provider: vendor(facts.model),
    error,
    choices: [{ index: 0, delta: { content: "" }, finish_reason: "error" }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

export const openrouter: Provider = {
  name: "openrouter",
  title: "OpenRouter",
  recognition: {
    prefixes: ["openrouter"],
    headers: ["x-openrouter-title", "x-openrouter-categories"],
    query: [],
    paths: [/^\/api\/v1(?:\/|$)/],
    keyPrefixes: ["sk-or-"],
  },
  host: "https://openrouter.ai",
  hostVariable: "OPENROUTER_REAL_HOST",
  usualModel: "openai/gpt-4o",
  models: ["openai/gpt-4o", "anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash", "deepseek/deepseek-chat-v3.1"],
  // The bare origin: its reader joins `api/v1/…`, which no other provider has.
  clientVariables: (origin) => [["OPENROUTER_HOST", origin]],
  kindOf: (path) => {
    if (isAuthPath(path)) return "auth";
    if (
      /^\/api\/v1\/(?:models|credits|keys?|generation|providers|endpoints|activity|parameters|guardrails|organization)(?:\/|$)/.test(path)
    )
      return "metadata";
    if (/^\/api\/v1\/(?:messages\/count_tokens|embeddings\/models)$/.test(path)) return "metadata";
    return undefined;
  },
  apis: [
    { dialect: "chat", root: "/api/v1" },
    { dialect: "responses", root: "/api/v1" },
    { dialect: "messages", root: "/api/v1" },
  ],
  credentialFields: bearer,
  errors,
  errorHeaders: (facts, of) => [...identityHeaders(facts), ...(hintsRetry(facts, of, HINTING) ? [retryAfter(facts, "Retry-After")] : [])],
  streamErrors: {
    chat: [
      {
        variant: "string_code",
        evidence: "D",
        source: "openrouter.ai/docs/api/reference/streaming (errors during a stream)",
        text: (facts) => errorChunk(facts, { code: "server_error", message: facts.message ?? "Provider disconnected unexpectedly" }),
        done: false,
      },
      {
        variant: "integer_code",
        evidence: "F",
        source: "OpenRouterTeam/typescript-sdk docs/models/chatstreamchunk.mdx",
        text: (facts) =>
          errorChunk(facts, {
            code: 429,
            message: facts.message ?? "Rate limit exceeded",
            metadata: { error_type: "rate_limit_exceeded" },
          }),
        done: false,
      },
    ],
  },
  answerHeaders: ({ wallMs, random }) => [["X-Generation-Id", generationId(wallMs, base62Id(random, 20))]],
  ownError: (status, code, message) => ({ error: { message, code: status, metadata: { error_type: code } } }),
};
