import type { ErrorCatalogue, ErrorEntry, ErrorFacts, Evidence, Provider } from "../core/provider.ts";
import {
  base62Id,
  bearer,
  edgeEntry,
  entry,
  hintsRetry,
  isAuthPath,
  JSON_HEADERS,
  maxTokensText,
  oncePerError,
  openaiBody,
  retryAfter,
  uuid,
} from "./shared.ts";

const SDK = "databricks/databricks-sdk-py databricks/sdk/errors/platform.py:91";
const SDK_CODE = `${SDK} (code); text unverified`;

/** No `error` member, so OpenAI SDKs find neither code nor type; older ones not even the text. */
function error(
  variant: string,
  status: number,
  evidence: Evidence,
  source: string,
  code: string,
  message: (facts: ErrorFacts) => string,
  rest: Pick<ErrorEntry, "retryHint"> = {},
): ErrorEntry {
  return entry(variant, status, evidence, source, (facts) => ({ error_code: code, message: facts.message ?? message(facts) }), rest);
}

const wrappedRequestId = oncePerError((random) => `req_011C${base62Id(random, 20)}`);

/** An external model's error, as JSON inside the message. */
function wrapped(variant: string, evidence: Evidence, source: string, message: (facts: ErrorFacts) => string): ErrorEntry {
  return entry(variant, 400, evidence, source, (facts) => ({
    error_code: "BAD_REQUEST",
    message: JSON.stringify({
      external_model_provider: "anthropic",
      external_model_error: {
        type: "error",
        error: { type: "invalid_request_error", message: facts.message ?? message(facts) },
        request_id: wrappedRequestId(facts),
      },
    }),
  }));
}

const LIMIT_SOURCE = "n8n-io/n8n#38642";

function limitText(what: string) {
  return (facts: ErrorFacts): string =>
    `REQUEST_LIMIT_EXCEEDED: Exceeded workspace ${what} rate limit for ${facts.model}. Please use a provisioned throughput Foundation Model APIs endpoint for a higher rate limit.`;
}

const errors: ErrorCatalogue = {
  context_length: [
    error(
      "invalid_parameter",
      400,
      "U",
      "the original proxy's default; the captured form is variant=wrapped_anthropic",
      "INVALID_PARAMETER_VALUE",
      (facts) =>
        `The maximum context length is ${facts.contextTokensMax} tokens, but the input resulted in ${facts.inputTokens} tokens. Please reduce the length of the messages.`,
    ),
    wrapped("wrapped_anthropic", "C", "block/goose#3635", maxTokensText),
    wrapped(
      "wrapped_prompt",
      "S",
      "block/goose#3635 (wrapper), badlogic/pi-mono packages/ai/src/utils/overflow.ts:11 (text)",
      (facts) => `prompt is too long: ${facts.inputTokens} tokens > ${facts.contextTokensMax} maximum`,
    ),
  ],
  rate_limit: [
    error(
      "rate_limit_exceeded",
      429,
      "U",
      "the original proxy's default, not a code of Databricks; the captured form is variant=qps",
      "RATE_LIMIT_EXCEEDED",
      () => "Rate limit exceeded. Please try again later.",
    ),
    error("qps", 429, "C", LIMIT_SOURCE, "REQUEST_LIMIT_EXCEEDED", limitText("QPS")),
    error("output_tokens", 429, "C", LIMIT_SOURCE, "REQUEST_LIMIT_EXCEEDED", limitText("output tokens per minute")),
    error(
      "input_tokens",
      429,
      "S",
      `${LIMIT_SOURCE} (form); this limit by the documentation`,
      "REQUEST_LIMIT_EXCEEDED",
      limitText("input tokens per minute"),
    ),
  ],
  server_error: [
    error(
      "internal_error",
      500,
      "U",
      "the original proxy's default; no public capture",
      "INTERNAL_ERROR",
      () => "An internal error occurred. Please try again later.",
    ),
    error("unknown", 500, "S", SDK_CODE, "UNKNOWN", () => "An unknown error occurred."),
  ],
  overloaded: [
    error(
      "temporarily_unavailable",
      503,
      "U",
      "no public capture",
      "TEMPORARILY_UNAVAILABLE",
      () => "The service at this endpoint is temporarily unavailable. Please try again later.",
    ),
  ],
  auth: [
    error(
      "unauthenticated",
      401,
      "U",
      "no public capture",
      "UNAUTHENTICATED",
      () => "Credential was not sent or was of an unsupported type for this API.",
    ),
    error("invalid_token", 403, "U", "no public capture", "PERMISSION_DENIED", () => "Invalid access token."),
  ],
  permission: [
    error(
      "permission_denied",
      403,
      "U",
      "no public capture",
      "PERMISSION_DENIED",
      (facts) => `User does not have permission 'Query' on serving endpoint '${facts.model}'.`,
    ),
  ],
  quota: [
    error(
      "resource_exhausted",
      429,
      "S",
      SDK_CODE,
      "RESOURCE_EXHAUSTED",
      () => "The workspace has exhausted its quota for this resource.",
      { retryHint: false },
    ),
  ],
  model_not_found: [
    error(
      "endpoint",
      404,
      "S",
      SDK_CODE,
      "RESOURCE_DOES_NOT_EXIST",
      (facts) => `Serving endpoint with name '${facts.model}' does not exist.`,
    ),
  ],
  content_filter: [
    error("guardrail", 400, "U", "no public capture", "BAD_REQUEST", () => "The request was blocked by the guardrails of this endpoint."),
  ],
  request_too_large: [
    error(
      "payload",
      413,
      "U",
      "no public capture (4 MB by the documentation)",
      "BAD_REQUEST",
      () => "Request size cannot exceed 4194304 bytes.",
    ),
  ],
  timeout: [
    error(
      "deadline",
      504,
      "U",
      "no public capture (297 s by the documentation)",
      "DEADLINE_EXCEEDED",
      () => "The request timed out after 297 seconds.",
    ),
    edgeEntry("nginx", 504),
  ],
  bad_gateway: [edgeEntry("nginx", 502), edgeEntry("cloudflare", 502)],
};

const requestId = oncePerError(uuid);

export const databricks: Provider = {
  name: "databricks",
  title: "Databricks",
  recognition: {
    prefixes: ["databricks"],
    headers: [],
    query: [],
    paths: [/^\/serving-endpoints(?:\/|$)/, /^\/(?:oidc|\.well-known)\//, /^\/api\/(?:2\.\d+|ai-gateway)\//, /^\/ai-gateway\//],
    keyPrefixes: ["dapi"],
  },
  // Every workspace has its own.
  host: undefined,
  hostVariable: "DATABRICKS_REAL_HOST",
  usualModel: "databricks-gpt-oss-120b",
  models: ["databricks-claude-sonnet-4-5", "databricks-meta-llama-3-3-70b-instruct", "databricks-gpt-oss-120b"],
  // The bare origin: Goose's OAuth joins `oidc/…` without keeping a prefix, and the Databricks SDKs cut paths off.
  clientVariables: (origin) => [["DATABRICKS_HOST", origin]],
  kindOf: (path) => {
    // First, because an endpoint may bear any name.
    if (/^\/(?:serving-endpoints|ai-gateway)\/(?:.+\/)?(?:invocations|completions|responses|messages|embeddings)$/.test(path))
      return undefined;
    if (isAuthPath(path)) return "auth";
    if (/^\/api\/(?:2\.\d+|ai-gateway)\//.test(path)) return "metadata";
    if (/^\/(?:serving-endpoints|ai-gateway)\/.*\b(?:models|count_tokens|metrics|openapi)$/.test(path)) return "metadata";
    return undefined;
  },
  apis: [{ dialect: "chat", root: "/serving-endpoints" }],
  credentialFields: bearer,
  errors,
  errorHeaders: (facts, of) => [...JSON_HEADERS, ["x-request-id", requestId(facts)], ...(hintsRetry(facts, of) ? [retryAfter(facts)] : [])],
  streamErrors: {
    chat: [
      {
        variant: "server_error",
        evidence: "U",
        source: "no public capture; OpenAI's form, since the chunks are OpenAI's",
        text: (facts) =>
          `data: ${JSON.stringify(openaiBody(facts, { message: "Internal server error", type: "server_error", code: null }))}\n\n`,
        done: false,
      },
    ],
  },
  answerHeaders: ({ random }) => [["x-request-id", uuid(random)]],
  ownError: (_status, code, message) => ({ error_code: code.toUpperCase(), message }),
};
