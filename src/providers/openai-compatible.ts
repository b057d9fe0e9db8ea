import type { HeaderList } from "../core/headers.ts";
import type { ErrorEntry, ErrorFacts, HttpFaultName, StreamErrorEntry } from "../core/provider.ts";
import {
  base62Id,
  entry,
  goDuration,
  JSON_HEADERS,
  oncePerError,
  openaiBody,
  retryAfter,
  tokensOwed,
  uuid,
  wholeSeconds,
} from "./shared.ts";

/**
 * Hosts that speak OpenAI's dialect and are put behind the openai provider with `--upstream openai=URL`. Their errors
 * are variants of that provider's, named after the host.
 */

/** Hosts of which no retry hint is known in public; they answer with a content type and nothing else that matters. */
const PLAIN = { headers: () => JSON_HEADERS, retryHint: false } as const;
const PLAIN_GO = { headers: (): HeaderList => [["content-type", "application/json; charset=utf-8"]], retryHint: false } as const;
/** A body of no bytes, as Cerebras sends. */
const NO_BODY = { headers: (): HeaderList => [], retryHint: false } as const;

const OVERFLOW_SOURCE = "badlogic/pi-mono packages/ai/src/utils/overflow.ts (text); envelope unverified";

// Azure OpenAI: `code` is the status as a string, and there is no `type`.

const azureRequestId = oncePerError(uuid);

function azureHeaders(facts: ErrorFacts): HeaderList {
  const identity: HeaderList = [...JSON_HEADERS, ["apim-request-id", azureRequestId(facts)]];
  if (facts.status !== 429 && facts.status !== 503) return identity;
  return [...identity, retryAfter(facts), ["retry-after-ms", String(wholeSeconds(facts.retryAfterSeconds) * 1000)]];
}

function azureRateLimit(what: "token" | "call") {
  return (facts: ErrorFacts): unknown => ({
    error: {
      code: String(facts.status),
      message:
        facts.message ??
        `Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded ${what} rate limit of your current OpenAI S0 pricing tier. Please retry after ${wholeSeconds(facts.retryAfterSeconds)} seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit. For Free Account customers, upgrade to Pay as you Go here: https://aka.ms/429TrialUpgrade.`,
    },
  });
}

function azureContentFilter(facts: ErrorFacts): unknown {
  return {
    error: {
      message:
        facts.message ??
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
      type: null,
      param: "prompt",
      code: "content_filter",
      status: facts.status,
      innererror: {
        code: "ResponsibleAIPolicyViolation",
        content_filter_result: {
          hate: { filtered: false, severity: "safe" },
          jailbreak: { filtered: false, detected: false },
          self_harm: { filtered: false, severity: "safe" },
          sexual: { filtered: true, severity: "high" },
          violence: { filtered: false, severity: "safe" },
        },
      },
    },
  };
}

// Mistral: no `error` member, the object itself is the error.

function mistralError(facts: ErrorFacts, message: string, type: string, code: string | null): unknown {
  return { object: "error", message: facts.message ?? message, type, param: null, code };
}

// xAI: `error` is a string, `code` a sentence.

const XAI_INVALID = "Client specified an invalid argument";

function xaiError(facts: ErrorFacts, code: string, error: string): unknown {
  return { code, error: facts.message ?? error };
}

/** xAI shows the first and last two characters of a key. */
function xaiKey(maskedKey: string): string {
  return `${maskedKey.slice(0, 2)}***${maskedKey.slice(-2)}`;
}

// Groq: OpenAI's object without `param`; limits for requests are per day, for tokens per minute.

const GROQ_TOKENS_PER_MINUTE = 15_000;

function groqLimitText(facts: ErrorFacts): string {
  const requested = Math.min(GROQ_TOKENS_PER_MINUTE, Math.max(1, facts.inputTokens));
  const owed = tokensOwed(facts.retryAfterSeconds, GROQ_TOKENS_PER_MINUTE);
  const used = Math.min(GROQ_TOKENS_PER_MINUTE, GROQ_TOKENS_PER_MINUTE - requested + owed);
  return `Rate limit reached for model \`${facts.model}\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit ${GROQ_TOKENS_PER_MINUTE}, Used ${used}, Requested ${requested}. Please try again in ${goDuration(facts.retryAfterSeconds)}. Visit https://console.groq.com/docs/rate-limits for more information.`;
}

function groqTooLargeText(facts: ErrorFacts): string {
  const limit = 6_000;
  const requested = facts.inputTokens > limit ? facts.inputTokens : 12_328;
  return `Request too large for model \`${facts.model}\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit ${limit}, Requested ${requested}, please reduce your message size and try again. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing`;
}

/** console.groq.com/docs/rate-limits: `retry-after` only with 429. */
function groqHeaders(facts: ErrorFacts): HeaderList {
  if (facts.status !== 429) return JSON_HEADERS;
  return [
    ...JSON_HEADERS,
    retryAfter(facts),
    ["x-ratelimit-limit-requests", "14400"],
    ["x-ratelimit-limit-tokens", String(GROQ_TOKENS_PER_MINUTE)],
    ["x-ratelimit-remaining-requests", "14370"],
    ["x-ratelimit-remaining-tokens", "0"],
    ["x-ratelimit-reset-requests", "2m59.56s"],
    ["x-ratelimit-reset-tokens", goDuration(facts.retryAfterSeconds)],
  ];
}

function groqError(facts: ErrorFacts, message: string): unknown {
  return { error: { message: facts.message ?? message, type: "tokens", code: "rate_limit_exceeded" } };
}

// DeepSeek: `code` is the same for everything.

function deepseekError(facts: ErrorFacts, message: string, type: string): unknown {
  return { error: { message: facts.message ?? message, type, param: null, code: "invalid_request_error" } };
}

function overflow(variant: string, text: (facts: ErrorFacts) => string): ErrorEntry {
  return entry(
    variant,
    400,
    "S",
    OVERFLOW_SOURCE,
    (facts) => openaiBody(facts, { message: text(facts), type: "invalid_request_error", code: null }),
    PLAIN,
  );
}

const mistralRequestId = oncePerError((random) => base62Id(random, 32));

const OLLAMA_BUSY = "server busy, please try again.  maximum pending requests exceeded";
const OLLAMA_TOO_LONG = "the input length exceeds the context length";
const OLLAMA_COMPATIBLE_SOURCE = "ollama/ollama openai/openai.go:225 (shape)";

function ollamaCompatible(facts: ErrorFacts, message: string, type: string): unknown {
  return openaiBody(facts, { message, type, code: null });
}

const context_length: readonly ErrorEntry[] = [
  entry(
    "mistral",
    400,
    "S",
    OVERFLOW_SOURCE,
    (facts) =>
      mistralError(
        facts,
        `Prompt contains ${facts.inputTokens} tokens and 0 draft tokens, too large for model with ${facts.contextTokensMax} maximum context length`,
        "invalid_request_error",
        null,
      ),
    PLAIN,
  ),
  entry(
    "xai",
    400,
    "C",
    "vercel/ai packages/xai/src/xai-error.ts (schema); captured text in public reports",
    (facts) =>
      xaiError(
        facts,
        XAI_INVALID,
        `This model's maximum prompt length is ${facts.contextTokensMax} but the request contains ${facts.inputTokens} tokens.`,
      ),
    PLAIN,
  ),
  entry(
    "xai_budget",
    400,
    "C",
    "UKGovernmentBEIS/inspect_ai#5208 (text, 2026-09)",
    (facts) =>
      xaiError(
        facts,
        XAI_INVALID,
        `Failed to start sampling: [input_too_large] Current message (${facts.inputTokens} tokens) exceeds budget (${facts.contextTokensMax} tokens)`,
      ),
    PLAIN,
  ),
  entry(
    "groq",
    400,
    "C",
    "All-Hands-AI/OpenHands#1902",
    (facts) => ({
      error: {
        message: facts.message ?? "Please reduce the length of the messages or completion.",
        type: "invalid_request_error",
        param: "messages",
        code: "context_length_exceeded",
      },
    }),
    PLAIN,
  ),
  entry(
    "deepseek",
    400,
    "C",
    "evalstate/fast-agent#621",
    (facts) =>
      deepseekError(
        facts,
        `This model's maximum context length is ${facts.contextTokensMax} tokens. However, you requested ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} in the messages, ${facts.outputTokensMax} in the completion). Please reduce the length of the messages or completion.`,
        "invalid_request_error",
      ),
    PLAIN,
  ),
  entry("ollama", 400, "F", "ollama/ollama llm/llama_server.go:2443", (facts) => ({ error: facts.message ?? OLLAMA_TOO_LONG }), PLAIN_GO),
  entry(
    "ollama_compat",
    400,
    "S",
    `${OLLAMA_COMPATIBLE_SOURCE}, llm/llama_server.go:2443 (text)`,
    (facts) => ollamaCompatible(facts, OLLAMA_TOO_LONG, "invalid_request_error"),
    PLAIN_GO,
  ),
  entry(
    "llama_cpp",
    400,
    "C",
    "block/goose#11048",
    (facts) => ({
      error: {
        message:
          facts.message ?? `Prompt has ${facts.inputTokens} tokens, but the configured context size is ${facts.contextTokensMax} tokens`,
        code: "context_length_exceeded",
        n_prompt_tokens: facts.inputTokens,
        n_ctx: facts.contextTokensMax,
      },
    }),
    PLAIN,
  ),
  overflow("llama_cpp_old", () => "the request exceeds the available context size, try increasing it"),
  entry(
    "vllm",
    400,
    "S",
    "vllm-project/vllm#20409 (text); envelope unverified",
    (facts) => ({
      object: "error",
      message:
        facts.message ??
        `This model's maximum context length is ${facts.contextTokensMax} tokens. However, you requested ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} in the messages, ${facts.outputTokensMax} in the completion). Please reduce the length of the messages or completion.`,
      type: "BadRequestError",
      param: null,
      code: facts.status,
    }),
    PLAIN,
  ),
  overflow("copilot", (facts) => `prompt token count of ${facts.inputTokens} exceeds the limit of ${facts.contextTokensMax}`),
  overflow("lm_studio", () => "tokens to keep from the initial prompt is greater than the context length"),
  overflow("kimi", (facts) => `Your request exceeded model token limit: ${facts.contextTokensMax} (requested: ${facts.inputTokens})`),
  overflow("minimax", () => "invalid params, context window exceeds limit"),
  entry("cerebras", 400, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts (status and empty body)", () => "", NO_BODY),
];

const rate_limit: readonly ErrorEntry[] = [
  entry("azure", 429, "C", "vanderschaarlab/climb#1, bc-code-interpreter#2", azureRateLimit("token"), { headers: azureHeaders }),
  entry("azure_call", 429, "C", "vanderschaarlab/climb#1, bc-code-interpreter#2", azureRateLimit("call"), { headers: azureHeaders }),
  entry(
    "mistral",
    429,
    "C",
    "cline/cline#9085, raycast/extensions#31107",
    (facts) => mistralError(facts, "Rate limit exceeded", "rate_limited", "1300"),
    PLAIN,
  ),
  entry(
    "mistral_raw_status",
    429,
    "C",
    "cline/cline#9085, raycast/extensions#31107 (with raw_status_code, from 2026-09)",
    (facts) => ({ ...(mistralError(facts, "Rate limit exceeded", "rate_limited", "1300") as object), raw_status_code: facts.status }),
    PLAIN,
  ),
  entry(
    "mistral_gateway",
    429,
    "C",
    "pydantic/pydantic-ai#1885",
    (facts) => ({ message: facts.message ?? "Requests rate limit exceeded" }),
    PLAIN,
  ),
  entry(
    "xai",
    429,
    "S",
    "cline/cline#4826 (text); wrapper unverified",
    (facts) =>
      xaiError(
        facts,
        "Some resource has been exhausted",
        `Too many tokens for team 00000000-0000-4000-8000-000000000000 and model ${facts.model}. Your team's rate limit is — Tokens per Minute (actual/limit): ${Math.max(65_605, facts.inputTokens)}/16000. You can view your team rate limits at https://console.x.ai.`,
      ),
    PLAIN,
  ),
  entry("groq", 429, "C", "Aider-AI/aider#3265", (facts) => groqError(facts, groqLimitText(facts)), { headers: groqHeaders }),
  entry(
    "deepseek",
    429,
    "U",
    "api-docs.deepseek.com/quick_start/error_codes (status); text unverified",
    (facts) => deepseekError(facts, "Rate Limit Reached", "rate_limit_error"),
    PLAIN,
  ),
];

const server_error: readonly ErrorEntry[] = [
  entry(
    "deepseek",
    500,
    "U",
    "api-docs.deepseek.com/quick_start/error_codes (status); text unverified",
    (facts) => deepseekError(facts, "Server Error", "server_error"),
    PLAIN,
  ),
  entry(
    "ollama_compat",
    500,
    "S",
    `${OLLAMA_COMPATIBLE_SOURCE}, docs/api/errors.mdx (text)`,
    (facts) => ollamaCompatible(facts, "an error was encountered while running the model", "api_error"),
    PLAIN_GO,
  ),
  entry(
    "vllm",
    500,
    "S",
    "block/goose crates/goose/src/providers/openai.rs, test (the object, in a stream); HTTP form unverified",
    (facts) => ({ object: "error", message: facts.message ?? "CUDA out of memory", code: facts.status }),
    PLAIN,
  ),
  entry(
    "sglang",
    500,
    "S",
    "aaif-goose/goose#8021 (the object, in a stream); HTTP form unverified",
    (facts) => ({ error: { message: facts.message ?? "Internal server error", type: "InternalServerError", code: facts.status } }),
    PLAIN,
  ),
];

const overloaded: readonly ErrorEntry[] = [
  entry(
    "mistral",
    429,
    "C",
    "continuedev/continue#6185",
    (facts) => mistralError(facts, "Service tier capacity exceeded for this model.", "invalid_request_error", null),
    PLAIN,
  ),
  entry(
    "mistral_3505",
    429,
    "C",
    "continuedev/continue#6185 and later reports (type and code)",
    (facts) => mistralError(facts, "Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded", "3505"),
    PLAIN,
  ),
  entry(
    "deepseek",
    503,
    "U",
    "api-docs.deepseek.com/quick_start/error_codes (status); text unverified",
    (facts) => deepseekError(facts, "Server Overloaded", "server_error"),
    PLAIN,
  ),
  entry("ollama", 503, "F", "ollama/ollama server/sched.go:88", (facts) => ({ error: facts.message ?? OLLAMA_BUSY }), PLAIN_GO),
  entry(
    "ollama_compat",
    503,
    "S",
    `${OLLAMA_COMPATIBLE_SOURCE}, server/sched.go:88 (text)`,
    (facts) => ollamaCompatible(facts, OLLAMA_BUSY, "api_error"),
    PLAIN_GO,
  ),
];

const auth: readonly ErrorEntry[] = [
  entry(
    "azure",
    401,
    "U",
    "no public capture",
    (facts) => ({
      error: {
        code: String(facts.status),
        message:
          facts.message ??
          "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
      },
    }),
    { headers: azureHeaders },
  ),
  entry("mistral", 401, "U", "no public capture", (facts) => ({ detail: facts.message ?? "Unauthorized" }), PLAIN),
  entry(
    "mistral_gateway",
    401,
    "U",
    "no public capture",
    (facts) => ({ message: facts.message ?? "Unauthorized", request_id: mistralRequestId(facts) }),
    PLAIN,
  ),
  entry(
    "xai",
    400,
    "C",
    "vercel/ai packages/xai/src/xai-error.ts (schema); captured text in public reports",
    (facts) =>
      xaiError(
        facts,
        XAI_INVALID,
        `Incorrect API key provided: ${xaiKey(facts.maskedKey)}. You can obtain an API key from https://console.x.ai.`,
      ),
    PLAIN,
  ),
  entry(
    "deepseek",
    401,
    "C",
    "deepseek-ai/DeepSeek-R1#82, szczyglis-dev/py-gpt#112",
    (facts) =>
      deepseekError(facts, `Authentication Fails, Your api key: ****${facts.maskedKey.slice(-4)} is invalid`, "authentication_error"),
    PLAIN,
  ),
];

const quota: readonly ErrorEntry[] = [
  entry("deepseek", 402, "C", "Aider-AI/aider#4851", (facts) => deepseekError(facts, "Insufficient Balance", "unknown_error"), PLAIN),
];

const model_not_found: readonly ErrorEntry[] = [
  entry(
    "azure",
    404,
    "U",
    "no public capture",
    (facts) => ({
      error: {
        code: "DeploymentNotFound",
        message:
          facts.message ??
          "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
      },
    }),
    { headers: azureHeaders },
  ),
  entry(
    "mistral",
    400,
    "C",
    "public reports of Mistral's code 1500",
    (facts) => mistralError(facts, `Invalid model: ${facts.model}`, "invalid_model", "1500"),
    PLAIN,
  ),
  entry("ollama", 404, "F", "ollama/ollama server/routes.go:3107", (facts) => ({ error: facts.message ?? ollamaMissing(facts) }), PLAIN_GO),
  entry(
    "ollama_compat",
    404,
    "S",
    `${OLLAMA_COMPATIBLE_SOURCE}, server/routes.go:3107 (text)`,
    (facts) => ollamaCompatible(facts, ollamaMissing(facts), "not_found_error"),
    PLAIN_GO,
  ),
];

function ollamaMissing(facts: ErrorFacts): string {
  return `model "${facts.model}" not found, try pulling it first`;
}

const content_filter: readonly ErrorEntry[] = [
  entry("azure", 400, "C", "openai/openai-dotnet#55, compl-ai#20", azureContentFilter, { headers: azureHeaders }),
];

const request_too_large: readonly ErrorEntry[] = [
  entry(
    "groq",
    413,
    "C",
    "ha-groq-cloud-api#27 (a refusal for tokens per minute)",
    (facts) => groqError(facts, groqTooLargeText(facts)),
    PLAIN,
  ),
  entry("cerebras", 413, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts (status and empty body)", () => "", NO_BODY),
];

export const COMPATIBLE_ERRORS = {
  context_length,
  rate_limit,
  server_error,
  overloaded,
  auth,
  quota,
  model_not_found,
  content_filter,
  request_too_large,
} satisfies Partial<Record<HttpFaultName, readonly ErrorEntry[]>>;

function streamed(
  variant: string,
  evidence: StreamErrorEntry["evidence"],
  source: string,
  done: boolean,
  text: StreamErrorEntry["text"],
): StreamErrorEntry {
  return { variant, evidence, source, done, text };
}

const GROQ_STREAM_TEXT = "The server had an error processing your request. Sorry about that!";

function groqStreamError(facts: ErrorFacts): string {
  return JSON.stringify({ error: { message: facts.message ?? GROQ_STREAM_TEXT, type: "invalid_request_error" } });
}

export const COMPATIBLE_STREAM_ERRORS: readonly StreamErrorEntry[] = [
  streamed(
    "vllm",
    "F",
    "block/goose crates/goose/src/providers/openai.rs, test",
    false,
    (facts) => `data: ${JSON.stringify({ object: "error", message: facts.message ?? "CUDA out of memory", code: 500 })}\n\n`,
  ),
  // With a space after each colon and comma: Python's json.dumps wrote it.
  streamed(
    "sglang",
    "C",
    "aaif-goose/goose#8021",
    false,
    (facts) =>
      `data: {"error": {"message": ${JSON.stringify(facts.message ?? "Internal server error")}, "type": "InternalServerError", "code": 500}}\n\n`,
  ),
  streamed(
    "groq",
    "F",
    "vercel/ai packages/groq/src/groq-chat-language-model.test.ts:1457",
    true,
    (facts) => `data: ${groqStreamError(facts)}\n\n`,
  ),
  streamed(
    "groq_event",
    "F",
    "groq/groq-python src/groq/_streaming.py:60 (accepted form)",
    false,
    (facts) => `event: error\ndata: ${groqStreamError(facts)}\n\n`,
  ),
];
