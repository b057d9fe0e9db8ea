import type { Credential } from "../core/credential.ts";
import type { HeaderList } from "../core/headers.ts";
import type { ErrorEntry, ErrorFacts, Evidence } from "../core/provider.ts";
import type { Random } from "../core/random.ts";

export const JSON_HEADERS: HeaderList = [["content-type", "application/json"]];
export const HTML_HEADERS: HeaderList = [["content-type", "text/html"]];

/** A catalogue entry, short enough for a catalogue to be read as a table. */
export function entry(
  variant: string,
  status: number,
  evidence: Evidence,
  source: string,
  body: ErrorEntry["body"],
  rest: Pick<ErrorEntry, "headers" | "retryHint" | "isAnswer" | "dialect"> = {},
): ErrorEntry {
  return { variant, status, evidence, source, body, ...rest };
}

const HEX = "0123456789abcdef";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function drawn(random: Random, alphabet: string, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += alphabet.charAt(Math.floor(random.next() * alphabet.length));
  return text;
}

export function hexId(random: Random, length: number): string {
  return drawn(random, HEX, length);
}

export function base62Id(random: Random, length: number): string {
  return drawn(random, BASE62, length);
}

export function uuid(random: Random): string {
  const variant = HEX.charAt(8 + Math.floor(random.next() * 4));
  return `${hexId(random, 8)}-${hexId(random, 4)}-4${hexId(random, 3)}-${variant}${hexId(random, 3)}-${hexId(random, 12)}`;
}

/**
 * A value that stands in both the body and the headers of one error. Each draw moves the random stream on, so it is
 * drawn once and remembered by the stream, which belongs to one exchange and outlives copies of the facts.
 */
export function oncePerError(draw: (random: Random) => string): (facts: Pick<ErrorFacts, "random">) => string {
  const known = new WeakMap<Random, string>();
  return ({ random }) => {
    const before = known.get(random);
    if (before !== undefined) return before;
    const value = draw(random);
    known.set(random, value);
    return value;
  };
}

/** Whole seconds and never 0, as `Retry-After` wants it (RFC 9110 section 10.2.3); rounded up, so that a client that obeys is not early. */
export function wholeSeconds(seconds: number): number {
  return Math.max(1, Math.ceil(seconds));
}

/** Decimal seconds without trailing zeros: `34.4`, `20.04466179`. */
export function decimalSeconds(seconds: number): string {
  return trimZeros(Math.max(0, seconds).toFixed(9));
}

/** Tokens that a bucket of so many a minute refills in this time, rounded up against the noise of the division. */
export function tokensOwed(seconds: number, perMinute: number): number {
  return Math.max(0, Math.ceil((seconds * perMinute) / 60 - 1e-6));
}

/** As Go's `time.Duration` prints, to the millisecond: `20ms`, `1s`, `11.054s`, `6m0s`, `1h0m0s`. */
export function goDuration(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const rest = `${trimZeros(((ms % 60_000) / 1000).toFixed(3))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

function trimZeros(decimal: string): string {
  return decimal.replace(/\.?0+$/, "");
}

/** RFC 3339 in UTC with whole seconds, rounded up: `2026-02-08T12:35:00Z`. */
export function rfc3339(wallMs: number): string {
  return new Date(Math.ceil(wallMs / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

/** `30000` → `30,000`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Only a 429 is known to say when to come back, unless the provider documents more. */
const HINTING: readonly number[] = [429];

/** Does the provider say here when to come back? Goes by the status that is really sent. */
export function hintsRetry(facts: ErrorFacts, of: ErrorEntry, hinting: readonly number[] = HINTING): boolean {
  return of.retryHint !== false && hinting.includes(facts.status);
}

export function retryAfter(facts: ErrorFacts, name = "retry-after"): readonly [string, string] {
  return [name, String(wholeSeconds(facts.retryAfterSeconds))];
}

const REASONS: Readonly<Record<number, string>> = {
  408: "Request Time-out",
  413: "Request Entity Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Temporarily Unavailable",
  504: "Gateway Time-out",
};

/** The page that nginx sends by itself, and with its own name Cloudflare (nginx: src/http/ngx_http_special_response.c). */
export function edgePage(status: number, server: "nginx" | "cloudflare"): string {
  const title = REASONS[status] === undefined ? String(status) : `${status} ${REASONS[status]}`;
  return [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<center><h1>${title}</h1></center>`,
    `<hr><center>${server}</center>`,
    "</body>",
    "</html>",
    "",
  ].join("\r\n");
}

const EDGE_SOURCE = "nginx src/http/ngx_http_special_response.c (the page); that this edge sends it is unverified";

/** An error of the edge before the provider: HTML, and nothing of the provider's own headers. */
export function edgeEntry(server: "nginx" | "cloudflare", status: number): ErrorEntry {
  return entry(server, status, "S", EDGE_SOURCE, (facts) => edgePage(facts.status, server), {
    headers: (facts) =>
      server === "nginx"
        ? [...HTML_HEADERS, ["server", "nginx"]]
        : [
            ["content-type", "text/html; charset=UTF-8"],
            ["server", "cloudflare"],
            ["cf-ray", rayId(facts)],
          ],
    retryHint: false,
  });
}

/** Cloudflare's own statuses (520 to 530) have no page of nginx's; the short text form is what API clients get. */
export function cloudflareTextEntry(variant: string, status: number): ErrorEntry {
  return entry(
    variant,
    status,
    "S",
    "developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors (status); the body for API clients is unverified",
    (facts) => `error code: ${facts.status}`,
    {
      headers: (facts) => [
        ["content-type", "text/plain; charset=UTF-8"],
        ["server", "cloudflare"],
        ["cf-ray", rayId(facts)],
      ],
      retryHint: false,
    },
  );
}

export const rayId = oncePerError((random) => `${hexId(random, 16)}-FRA`);

/** OpenID, OAuth and token endpoints, wherever they stand in the path. */
export function isAuthPath(path: string): boolean {
  return /\/(?:\.well-known|oidc|oauth2?|auth|login|token)(?:\/|$)/.test(path);
}

/** The gRPC status name that Google's HTTP statuses stand for (google/rpc/code.proto). */
export function grpcStatus(status: number): string {
  return GRPC_STATUS[status] ?? (status >= 500 ? "INTERNAL" : "FAILED_PRECONDITION");
}

const GRPC_STATUS: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  413: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** OpenAI's error object; all four members are required by its specification, `param` and `code` may be null. */
export function openaiBody(
  facts: ErrorFacts,
  error: { readonly message: string; readonly type: string; readonly param?: string; readonly code: string | number | null },
): unknown {
  return { error: { message: facts.message ?? error.message, type: error.type, param: error.param ?? null, code: error.code } };
}

/** The error types that OpenAI-like providers use for an error of ours. */
export function openaiOwnError(status: number, code: string, message: string): unknown {
  return { error: { message, type: status >= 500 ? "server_error" : "invalid_request_error", param: null, code } };
}

/** Anthropic's own text, which Databricks passes on inside its envelope. */
export function maxTokensText(facts: ErrorFacts): string {
  return `input length and \`max_tokens\` exceed context limit: ${facts.inputTokens} + ${facts.outputTokensMax} > ${facts.contextTokensMax}, decrease input length or \`max_tokens\` and try again`;
}

/** RFC 6750 section 2.1. */
export function bearer({ secret }: Pick<Credential, "secret">): HeaderList {
  return [["Authorization", `Bearer ${secret}`]];
}
