import type { ErrorCatalogue, ErrorEntry, ErrorFacts, Evidence, Provider } from "../core/provider.ts";
import {
  bearer,
  edgeEntry,
  entry,
  hintsRetry,
  isAuthPath,
  JSON_HEADERS,
  oncePerError,
  openaiBody,
  openaiOwnError,
  retryAfter,
  uuid,
} from "./shared.ts";

const ENVELOPE_ONLY = "no public capture; OpenAI's envelope, which this router speaks";
const GOOSE = "aaif-goose/goose crates/goose/src/providers/tetrate.rs, test";

/** OpenAI's envelope. */
function error(variant: string, status: number, type: string, code: string | null, message: (facts: ErrorFacts) => string): ErrorEntry {
  return entry(variant, status, "U", ENVELOPE_ONLY, (facts) => openaiBody(facts, { message: message(facts), type, code }));
}

/** An error in an answer of status 200, which names its real status as a number. */
function inside(code: number, evidence: Evidence, message: (facts: ErrorFacts) => string): ErrorEntry {
  const source = evidence === "F" ? GOOSE : `${GOOSE} (the form, for other codes)`;
  return entry("in_200", 200, evidence, source, (facts) => ({ error: { code, message: facts.message ?? message(facts) } }));
}

function contextText(facts: ErrorFacts): string {
  return `This model's maximum context length is ${facts.contextTokensMax} tokens. However, your messages resulted in ${facts.inputTokens} tokens. Please reduce the length of the messages.`;
}

const RATE_TEXT = () => "Rate limit exceeded. Please try again later.";
const UNAVAILABLE_TEXT = () => "Service temporarily unavailable. Please try again later.";
const missingText = (facts: ErrorFacts) => `The model \`${facts.model}\` does not exist or you do not have access to it.`;

const errors: ErrorCatalogue = {
  context_length: [error("context", 400, "invalid_request_error", "context_length_exceeded", contextText), inside(400, "S", contextText)],
  rate_limit: [error("rate", 429, "rate_limit_error", "rate_limit_exceeded", RATE_TEXT), inside(429, "S", RATE_TEXT)],
  server_error: [
    error("unavailable", 503, "server_error", "service_unavailable", UNAVAILABLE_TEXT),
    error("internal", 500, "server_error", "internal_server_error", () => "Internal server error"),
    inside(500, "S", () => "Internal server error"),
  ],
  overloaded: [error("unavailable", 503, "server_error", "service_unavailable", UNAVAILABLE_TEXT), inside(503, "S", UNAVAILABLE_TEXT)],
  auth: [
    error("api_key", 401, "authentication_error", "invalid_api_key", () => "Invalid API key"),
    inside(401, "F", () => "Invalid API key"),
  ],
  permission: [
    error("forbidden", 403, "permission_error", "forbidden", () => "You do not have access to this resource"),
    inside(403, "S", () => "You do not have access to this resource"),
  ],
  quota: [
    error("credits", 402, "insufficient_quota", "insufficient_credits", () => "Insufficient credits"),
    inside(402, "F", () => "Insufficient credits"),
  ],
  model_not_found: [error("model", 404, "invalid_request_error", "model_not_found", missingText), inside(404, "S", missingText)],
  content_filter: [error("filtered", 400, "invalid_request_error", "content_filter", () => "The request was blocked by a content policy")],
  request_too_large: [error("body", 413, "invalid_request_error", "request_too_large", () => "Request entity too large")],
  timeout: [
    error("upstream", 504, "server_error", "timeout", () => "The upstream provider did not answer in time"),
    edgeEntry("nginx", 504),
  ],
  bad_gateway: [edgeEntry("nginx", 502), edgeEntry("cloudflare", 502)],
};

const requestId = oncePerError(uuid);

export const tetrate: Provider = {
  name: "tetrate",
  title: "Tetrate Agent Router",
  recognition: {
    // Its paths, headers and keys are those of OpenAI: only the prefix or an own port tells it apart.
    prefixes: ["tetrate"],
    headers: [],
    query: [],
    paths: [],
    keyPrefixes: [],
  },
  host: "https://api.router.tetrate.ai",
  hostVariable: "TETRATE_REAL_HOST",
  usualModel: "gpt-4o",
  models: ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash"],
  // With the slash: Goose joins `v1/…` by RFC 3986, and its older versions do not add the slash that keeps the prefix.
  clientVariables: (origin) => [["TETRATE_HOST", `${origin}/tetrate/`]],
  kindOf: (path) => {
    if (isAuthPath(path)) return "auth";
    if (/^(?:\/api)?(?:\/v\d\w*)?\/(?:models|files|batches|keys?|credits|usage)(?:\/|$)/.test(path)) return "metadata";
    return undefined;
  },
  apis: [{ dialect: "chat", root: "/v1" }],
  credentialFields: bearer,
  errors,
  errorHeaders: (facts, of) => [...JSON_HEADERS, ["x-request-id", requestId(facts)], ...(hintsRetry(facts, of) ? [retryAfter(facts)] : [])],
  streamErrors: {
    chat: [
      {
        variant: "server_error",
        evidence: "U",
        source: ENVELOPE_ONLY,
        text: (facts) =>
          `data: ${JSON.stringify(openaiBody(facts, { message: "Internal server error", type: "server_error", code: null }))}\n\n`,
        done: false,
      },
    ],
  },
  answerHeaders: ({ random }) => [["x-request-id", uuid(random)]],
  ownError: openaiOwnError,
};
