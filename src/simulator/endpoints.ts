import type { Identified } from "../core/exchange.ts";
import { headerValue } from "../core/headers.ts";
import type { Provider } from "../core/provider.ts";
import { DIALECTS } from "../dialects/index.ts";
import { geminiEmbeddings, openaiEmbeddings } from "./embeddings.ts";
import { modelList, oneModel } from "./models.ts";

/** What the built-in provider says where no model is asked to speak. */

export type EndpointRequest = {
  readonly exchange: Identified;
  readonly provider: Provider;
  /** The body, parsed when somebody asks; undefined where it is not JSON. */
  readonly json: () => unknown;
  readonly createdSeconds: number;
  /** Of the proxy's own address. */
  readonly scheme: "http" | "https";
};

export type EndpointAnswer = { readonly status: number; readonly text: string; readonly contentType?: string };

type Endpoint = {
  readonly methods: readonly string[];
  readonly path: RegExp;
  /** Undefined: not with this provider. */
  readonly answer: (request: EndpointRequest, found: RegExpExecArray) => unknown;
};

const READ = ["GET", "HEAD"];
const POST = ["POST"];

const ENDPOINTS: readonly Endpoint[] = [
  { methods: READ, path: /^\/(?:v1|v1beta|v1beta\/openai|api\/v1)\/models\/?$/, answer: (request) => modelList(request) },
  {
    methods: READ,
    path: /^\/(?:v1|v1beta|v1beta\/openai|api\/v1)\/models\/(.+)$/,
    answer: (request, [, id]) => oneModel(request, id ?? ""),
  },
  { methods: READ, path: /^\/api\/2\.0\/serving-endpoints\/?$/, answer: (request) => modelList(request) },
  { methods: READ, path: /^\/api\/2\.0\/serving-endpoints\/([^/]+)$/, answer: (request, [, id]) => oneModel(request, id ?? "") },
  { methods: READ, path: /^\/api\/v1\/(?:auth\/)?key$/, answer: () => openrouterKey() },
  { methods: READ, path: /^\/api\/v1\/credits$/, answer: () => ({ data: { total_credits: 100, total_usage: 25.5 } }) },
  { methods: READ, path: /\/\.well-known\/[^/]+$/, answer: (request) => discovery(request) },
  { methods: POST, path: /\/(?:oidc|oauth2?)(?:\/v\d+)?\/token$/, answer: () => accessToken() },
  {
    methods: POST,
    path: /\/messages\/count_tokens$/,
    answer: ({ json, exchange }) => ({ input_tokens: messageTokens(exchange.path, json()) }),
  },
  {
    methods: POST,
    path: /\/responses\/input_tokens$/,
    answer: ({ json, exchange }) => ({
      object: "response.input_tokens",
      input_tokens: DIALECTS.responses.facts(exchange.path, "", json()).inputTokens,
    }),
  },
  { methods: POST, path: /:countTokens$/, answer: ({ json, exchange }) => geminiTokens(exchange.path, json()) },
  { methods: POST, path: /\/embeddings$/, answer: ({ json }) => openaiEmbeddings(json()) },
  {
    methods: POST,
    path: /:(embedContent|batchEmbedContents)$/,
    answer: ({ json }, [, method]) => geminiEmbeddings(json(), method === "batchEmbedContents"),
  },
];

export function endpointAnswer(request: EndpointRequest): EndpointAnswer {
  const { exchange, provider } = request;
  if (exchange.path === "/" && READ.includes(exchange.method)) return rootAnswer(request);
  for (const { methods, path, answer } of ENDPOINTS) {
    const found = methods.includes(exchange.method) ? path.exec(exchange.path) : null;
    if (found === null) continue;
    if (exchange.method === "POST" && hasBody(exchange) && !isForm(exchange) && request.json() === undefined) {
      return error(provider, 400, "invalid_json", "We could not parse the JSON body of your request.");
    }
    const value = answer(request, found);
    if (value !== undefined) return { status: 200, text: JSON.stringify(value) };
  }
  return error(provider, 404, "not_found", `Invalid URL (${exchange.method} ${exchange.path})`);
}

function error(provider: Provider, status: number, code: string, message: string): EndpointAnswer {
  return { status, text: JSON.stringify(provider.ownError(status, code, message)) };
}

function hasBody({ body }: Identified): boolean {
  return body.lengthBytes !== 0;
}

/** OAuth requests are forms (RFC 6749, section 4). */
function isForm({ headers }: Identified): boolean {
  return /^application\/x-www-form-urlencoded/i.test(headerValue(headers, "content-type") ?? "");
}

/** OpenAI greets, OpenRouter has a site there, the others have nothing. */
function rootAnswer({ exchange, provider }: EndpointRequest): EndpointAnswer {
  switch (provider.name) {
    case "openai":
      return {
        status: 200,
        text: JSON.stringify({
          message: "Welcome to the OpenAI API! Documentation is available at https://platform.openai.com/docs/api-reference",
        }),
      };
    case "openrouter":
      return { status: 200, text: "<!DOCTYPE html><title>OpenRouter</title>", contentType: "text/html; charset=utf-8" };
    default:
      return error(provider, 404, "not_found", `Invalid URL (${exchange.method} /)`);
  }
}

function openrouterKey(): unknown {
  return {
    data: {
      label: "sk-or-v1-sim...ted",
      limit: 100,
      limit_remaining: 74.5,
      usage: 25.5,
      is_free_tier: false,
      is_provisioning_key: false,
      rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
    },
  };
}

/** Points back at the proxy, with the prefix that the client used, so that the next step of a login comes here too. */
function discovery({ exchange, scheme }: EndpointRequest): unknown {
  const prefix = exchange.target.endsWith(exchange.upstreamTarget) ? exchange.target.slice(0, -exchange.upstreamTarget.length) : "";
  const origin = `${scheme}://${headerValue(exchange.headers, "host") ?? "127.0.0.1"}${prefix}`;
  return {
    issuer: `${origin}/oidc`,
    authorization_endpoint: `${origin}/oidc/v1/authorize`,
    token_endpoint: `${origin}/oidc/v1/token`,
    jwks_uri: `${origin}/oidc/jwks.json`,
    response_types_supported: ["code"],
    grant_types_supported: ["authorization_code", "client_credentials", "refresh_token"],
    code_challenge_methods_supported: ["S256"],
    scopes_supported: ["all-apis", "offline_access"],
  };
}

function accessToken(): unknown {
  return {
    access_token: "simulated-access-token",
    token_type: "Bearer",
    expires_in: 3600,
    refresh_token: "simulated-refresh-token",
    scope: "all-apis offline_access",
  };
}

function messageTokens(path: string, json: unknown): number {
  return DIALECTS.messages.facts(path, "", json).inputTokens;
}

/** The request stands for itself, or inside `generateContentRequest`. */
function geminiTokens(path: string, json: unknown): unknown {
  const inner = typeof json === "object" && json !== null && "generateContentRequest" in json ? json.generateContentRequest : json;
  const totalTokens = DIALECTS.gemini.facts(path, "", inner).inputTokens;
  return { totalTokens, promptTokensDetails: [{ modality: "TEXT", tokenCount: totalTokens }] };
}
