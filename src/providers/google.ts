import type { HeaderList } from "../core/headers.ts";
import type { ErrorCatalogue, ErrorEntry, ErrorFacts, Evidence, Provider } from "../core/provider.ts";
import { bearer, decimalSeconds, edgeEntry, entry, grpcStatus, isAuthPath } from "./shared.ts";

/** As on the wire: indented by two spaces. */
function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

type Status = { readonly message: string; readonly status: string; readonly details?: readonly unknown[] };

/** google.rpc.Status as JSON; `code` is the HTTP status. */
function statusObject(facts: ErrorFacts, { message, status, details }: Status): { readonly error: object } {
  return { error: { code: facts.status, message: facts.message ?? message, status, ...(details === undefined ? {} : { details }) } };
}

/** Where a JSON array was asked for, the error is its only element (continuedev/continue#8967). */
function asAsked({ framing }: ErrorFacts, error: object): object {
  return framing === "json-array" ? [error] : error;
}

function status(variant: string, httpStatus: number, evidence: Evidence, source: string, form: (facts: ErrorFacts) => Status): ErrorEntry {
  return entry(variant, httpStatus, evidence, source, (facts) => pretty(asAsked(facts, statusObject(facts, form(facts)))));
}

/** The Interactions API has a form of its own: a word for a code. */
function interactions(httpStatus: number, code: string, message: string): ErrorEntry {
  return entry(
    "interactions",
    httpStatus,
    "S",
    "ai.google.dev/gemini-api/docs/api-errors (Interactions API; shape and code); text unverified",
    (facts) => pretty({ error: { code, message: facts.message ?? message } }),
    { retryHint: false },
  );
}

const RATE_LIMITS_PAGE = "https://ai.google.dev/gemini-api/docs/rate-limits";
const FREE_TIER = "generativelanguage.googleapis.com/generate_content_free_tier";

/** `limit` 0: the model is not in the free tier at all, which clients take as final; then there is no `quotaValue`. */
type Quota = { readonly metric: string; readonly quotaId: string; readonly limit: number };
const REQUESTS_A_MINUTE: Quota = {
  metric: `${FREE_TIER}_requests`,
  quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
  limit: 5,
};
const REQUESTS_A_DAY: Quota = { metric: `${FREE_TIER}_requests`, quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", limit: 20 };
const TOKENS_A_MINUTE: Quota = {
  metric: `${FREE_TIER}_input_token_count`,
  quotaId: "GenerateContentInputTokensPerModelPerMinute-FreeTier",
  limit: 250_000,
};

/** `RetryInfo` has the whole seconds of the delay that the text gives in full; below a second there are none to cut to. */
function retryDelay(facts: ErrorFacts): string {
  const seconds = facts.retryAfterSeconds;
  return `${seconds < 1 ? decimalSeconds(seconds) : Math.floor(seconds)}s`;
}

function quotaExceeded({ metric, quotaId, limit }: Quota): (facts: ErrorFacts) => Status {
  return (facts) => ({
    message: `You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: ${RATE_LIMITS_PAGE}. To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: ${metric}, limit: ${limit}, model: ${facts.model}\nPlease retry in ${decimalSeconds(facts.retryAfterSeconds)}s.`,
    status: "RESOURCE_EXHAUSTED",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.Help",
        links: [{ description: "Learn more about Gemini API quotas", url: RATE_LIMITS_PAGE }],
      },
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        violations: [
          {
            quotaMetric: metric,
            quotaId,
            quotaDimensions: { location: "global", model: facts.model },
            ...(limit > 0 && { quotaValue: String(limit) }),
          },
        ],
      },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: retryDelay(facts) },
    ],
  });
}

const FULL_SOURCE =
  "google-gemini/gemini-cli-action#36 (details, quotaValue), continuedev/continue#10062 (message and order); limit from 2026 logs";
const ZERO_LIMIT_SOURCE = "google-gemini/gemini-cli#8437 (details), continuedev/continue#10062 (message and order)";
const perDay = status("per_day", 429, "C", FULL_SOURCE, quotaExceeded(REQUESTS_A_DAY));

const VERTEX_TEXT =
  "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.";
const VERTEX_SOURCE = "continuedev/continue#8967, google-gemini/gemini-cli#14831";
const vertexStatus: Status = { message: VERTEX_TEXT, status: "RESOURCE_EXHAUSTED" };

const unavailable = (variant: string, source: string, message: string) =>
  status(variant, 503, "C", source, () => ({ message, status: "UNAVAILABLE" }));
const overloadedEntry = unavailable(
  "overloaded",
  "vercel/ai#5217, diegosouzapw/OmniRoute#4177",
  "The model is overloaded. Please try again later.",
);
const highDemandEntry = unavailable(
  "high_demand",
  "diegosouzapw/OmniRoute#4177 (2026-06)",
  "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.",
);

const API_KEY_TEXT = "API key not valid. Please pass a valid API key.";

function blocked(reason: string): ErrorEntry["body"] {
  return () => pretty({ promptFeedback: { blockReason: reason } });
}

const BLOCK_SOURCE = "ai.google.dev/api/generate-content (PromptFeedback); an answer without candidates, not an error";

function apiVersion(path: string): string {
  return /^\/(v\d\w*)\//.exec(path)?.[1] ?? "v1beta";
}

/** Google's front end, for what never reached the service. */
function frontEndPage(facts: ErrorFacts): string {
  return [
    "<!DOCTYPE html>",
    "<html lang=en>",
    "  <meta charset=utf-8>",
    '  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">',
    `  <title>Error ${facts.status} (Server Error)!!1</title>`,
    "  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>",
    `  <p><b>${facts.status}.</b> <ins>That’s an error.</ins>`,
    "  <p>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.  <ins>That’s all we know.</ins>",
    "",
  ].join("\n");
}

const errors: ErrorCatalogue = {
  context_length: [
    status("tokens", 400, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts:13", (facts) => ({
      message: `The input token count (${facts.inputTokens}) exceeds the maximum number of tokens allowed (${facts.contextTokensMax}).`,
      status: "INVALID_ARGUMENT",
    })),
  ],
  rate_limit: [
    status("full", 429, "C", FULL_SOURCE, quotaExceeded(REQUESTS_A_MINUTE)),
    status("minimal", 429, "F", "vercel/ai packages/google/src/__fixtures__/google-429-retry-info.json", (facts) => ({
      message: "You exceeded your current quota, please check your plan.",
      status: "RESOURCE_EXHAUSTED",
      details: [
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [{ quotaId: REQUESTS_A_MINUTE.quotaId }] },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${decimalSeconds(facts.retryAfterSeconds)}s` },
      ],
    })),
    perDay,
    status("tokens", 429, "C", FULL_SOURCE, quotaExceeded(TOKENS_A_MINUTE)),
    status("zero_limit", 429, "C", ZERO_LIMIT_SOURCE, quotaExceeded({ ...REQUESTS_A_MINUTE, limit: 0 })),
    status("bare", 429, "C", "googleapis/python-genai#2065", () => ({
      message: "Resource has been exhausted (e.g. check quota).",
      status: "RESOURCE_EXHAUSTED",
    })),
    status("vertex", 429, "C", VERTEX_SOURCE, () => vertexStatus),
    entry("vertex_array", 429, "C", `${VERTEX_SOURCE} (streamed without alt=sse)`, (facts) => pretty([statusObject(facts, vertexStatus)])),
    entry("code_assist", 429, "C", "google-gemini/gemini-cli#14831 (cloudcode-pa.googleapis.com)", (facts) => {
      const message = facts.message ?? VERTEX_TEXT;
      return pretty({
        error: {
          code: facts.status,
          message,
          errors: [{ message, domain: "global", reason: "rateLimitExceeded" }],
          status: "RESOURCE_EXHAUSTED",
        },
      });
    }),
    interactions(429, "quota_exceeded", "You exceeded your current quota."),
  ],
  server_error: [
    overloadedEntry,
    status("internal", 500, "S", "ai.google.dev/gemini-api/docs/troubleshooting (status); text unverified", () => ({
      message: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
      status: "INTERNAL",
    })),
  ],
  overloaded: [
    overloadedEntry,
    highDemandEntry,
    status("no_capacity", 429, "C", "google-gemini/gemini-cli#27548 (text; details left out)", (facts) => ({
      message: `No capacity available for model ${facts.model} on the server`,
      status: "RESOURCE_EXHAUSTED",
    })),
  ],
  auth: [
    status("api_key", 400, "D", "ai.google.dev/gemini-api/docs/troubleshooting", (facts) => ({
      message: API_KEY_TEXT,
      status: "INVALID_ARGUMENT",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "API_KEY_INVALID",
          domain: "googleapis.com",
          metadata: { service: "generativelanguage.googleapis.com" },
        },
        { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", locale: "en-US", message: facts.message ?? API_KEY_TEXT },
      ],
    })),
    status("unauthenticated", 401, "S", "google/rpc/code.proto (status); text unverified", () => ({
      message:
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
      status: "UNAUTHENTICATED",
    })),
  ],
  permission: [
    status("permission_denied", 403, "S", "ai.google.dev/gemini-api/docs/troubleshooting (status); text unverified", () => ({
      message: "The caller does not have permission",
      status: "PERMISSION_DENIED",
    })),
    status("region", 400, "S", "ai.google.dev/gemini-api/docs/troubleshooting (status); text unverified", () => ({
      message: "User location is not supported for the API use.",
      status: "FAILED_PRECONDITION",
    })),
  ],
  quota: [perDay, interactions(402, "payment_required", "Billing is not enabled for this project.")],
  model_not_found: [
    status("model", 404, "C", "wwardaww/gnome-gemini-ai#21", (facts) => ({
      message: `models/${facts.model} is not found for API version ${apiVersion(facts.path)}, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`,
      status: "NOT_FOUND",
    })),
    interactions(404, "not_found", "Model not found."),
  ],
  content_filter: [
    entry("prompt_blocked", 200, "D", BLOCK_SOURCE, blocked("SAFETY"), { isAnswer: true }),
    entry("prohibited_content", 200, "D", BLOCK_SOURCE, blocked("PROHIBITED_CONTENT"), { isAnswer: true }),
    entry(
      "finish_safety",
      200,
      "D",
      "ai.google.dev/api/generate-content (FinishReason); an answer, not an error",
      () => pretty({ candidates: [{ finishReason: "SAFETY", index: 0 }] }),
      { isAnswer: true },
    ),
  ],
  request_too_large: [
    status("payload", 400, "U", "no public capture of the number", () => ({
      message: "Request payload size exceeds the limit: 20971520 bytes.",
      status: "INVALID_ARGUMENT",
    })),
    status("payload_413", 413, "U", "no public capture of the number", () => ({
      message: "Request payload size exceeds the limit: 20971520 bytes.",
      status: "INVALID_ARGUMENT",
    })),
  ],
  timeout: [
    status("deadline_exceeded", 504, "S", "ai.google.dev/gemini-api/docs/troubleshooting (status); text unverified", () => ({
      message: "Deadline expired before operation could complete.",
      status: "DEADLINE_EXCEEDED",
    })),
    interactions(504, "deadline_exceeded", "The request did not complete in time."),
  ],
  bad_gateway: [
    entry(
      "front_end",
      502,
      "S",
      "the error page of Google's front ends, its styles left out; that this API sends it is unverified",
      frontEndPage,
      {
        headers: () => [["content-type", "text/html; charset=UTF-8"]],
        retryHint: false,
      },
    ),
    edgeEntry("nginx", 502),
  ],
};

const GOOGLE_JSON: HeaderList = [["content-type", "application/json; charset=UTF-8"]];

export const google: Provider = {
  name: "google",
  title: "Google Gemini",
  recognition: {
    prefixes: ["gemini", "google"],
    headers: ["x-goog-api-key", "x-goog-api-client", "x-goog-user-project"],
    query: ["key"],
    paths: [
      /:(?:generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|batchGenerateContent|predict|predictLongRunning)$/,
      /^\/v\d(?:alpha|beta)\d*\//,
      /^\/(?:upload|download)\/v\d/,
    ],
    keyPrefixes: ["AIza"],
  },
  host: "https://generativelanguage.googleapis.com",
  hostVariable: "GOOGLE_REAL_HOST",
  usualModel: "gemini-2.5-pro",
  models: ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-embedding-001"],
  clientVariables: (origin) => [
    ["GOOGLE_HOST", origin],
    ["GOOGLE_GEMINI_BASE_URL", origin],
    ["GEMINI_BASE_URL", origin],
  ],
  kindOf: (path) => {
    // A method stands after the colon; without one the path is a resource.
    const method = /:(\w+)$/.exec(path)?.[1];
    if (method !== undefined)
      return /^(?:countTokens|computeTokens|batch\w+|async\w+|cancel)$/.test(method) && method !== "batchEmbedContents"
        ? "metadata"
        : undefined;
    if (isAuthPath(path)) return "auth";
    if (
      /^(?:\/(?:upload|download))?\/v\d\w*(?:\/openai)?\/(?:models|files|tunedModels|cachedContents|operations|batches|corpora|fileSearchStores)(?:\/|$)/.test(
        path,
      )
    )
      return "metadata";
    return undefined;
  },
  apis: [
    { dialect: "gemini", root: "/v1beta" },
    { dialect: "chat", root: "/v1beta/openai" },
  ],
  credentialFields: ({ kind, secret }, dialect) =>
    kind === "api_key" && dialect === "gemini" ? [["x-goog-api-key", secret]] : bearer({ secret }),
  errors,
  // No Retry-After: the delay is in the body.
  errorHeaders: () => GOOGLE_JSON,
  streamErrors: {},
  answerHeaders: () => [],
  ownError: (status, _code, message) => ({ error: { code: status, message, status: grpcStatus(status) } }),
};
