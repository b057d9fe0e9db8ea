import type { Delivery, Identified, OpenResponse } from "../core/exchange.ts";
import type { Cors } from "../core/gateway.ts";
import { type HeaderList, headerValue } from "../core/headers.ts";
import { isPreflight } from "./helpers/preflight.ts";

const METHODS = "GET, POST, PUT, DELETE, OPTIONS";

/** What pages send beside what they may send anyway, and what they then ask for by name. */
const HEADERS = [
  "Authorization",
  "Content-Type",
  "x-api-key",
  "api-key",
  "anthropic-version",
  "anthropic-beta",
  "anthropic-dangerous-direct-browser-access",
  "x-goog-api-key",
  "x-faultproxy-key",
  "x-llm-proxy-timeout-ms",
  "x-llm-proxy-test-mode",
] as const;

/** Browsers ask again after so long; Chromium takes no more than two hours. */
const MAX_AGE_SECONDS = 600;

/** The answer to a browser that asks first. It costs nothing of any limit. */
export function preflightAnswer(exchange: Identified, cors: Cors): OpenResponse | undefined {
  const { headers } = exchange;
  const origin = headerValue(headers, "origin");
  if (origin === undefined || !isPreflight(exchange)) return undefined;
  const asked = (headerValue(headers, "access-control-request-headers") ?? "").split(",").map((name) => name.trim());
  const further = asked.filter(
    (name) => /^[!#$%&'*+.^_`|~\w-]{1,64}$/.test(name) && !HEADERS.some((known) => known.toLowerCase() === name),
  );
  const isPrivate = headerValue(headers, "access-control-request-private-network") === "true";
  const allowed: HeaderList = [
    ...originFields(origin, cors),
    ["Access-Control-Allow-Methods", METHODS],
    ["Access-Control-Allow-Headers", [...HEADERS, ...further].join(", ")],
    ["Access-Control-Max-Age", String(MAX_AGE_SECONDS)],
    ...(isPrivate ? [["Access-Control-Allow-Private-Network", "true"] as const] : []),
  ];
  return { status: 204, reason: undefined, headers: isAllowed(origin, cors) ? allowed : [["Vary", "Origin"]], body: null };
}

const OF_TARGET = /^access-control-/i;

/** The answer with what lets a page read it, in place of what a target says of that. */
export function withCors(delivery: Delivery, exchange: Identified, cors: Cors): Delivery {
  const origin = headerValue(exchange.headers, "origin");
  if (origin === undefined || delivery.kind !== "response") return delivery;
  const { response } = delivery;
  const headers = response.headers.filter(([name]) => !OF_TARGET.test(name));
  return { ...delivery, response: { ...response, headers: [...headers, ...originFields(origin, cors), EXPOSED] } };
}

/** Pages without credentials of the browser's own may read every field. */
const EXPOSED = ["Access-Control-Expose-Headers", "*"] as const;

function isAllowed(origin: string, { origins }: Cors): boolean {
  return origins.has("*") || origins.has(origin.toLowerCase());
}

function originFields(origin: string, cors: Cors): HeaderList {
  if (cors.origins.has("*")) return [["Access-Control-Allow-Origin", "*"]];
  const vary = ["Vary", "Origin"] as const;
  return isAllowed(origin, cors) ? [["Access-Control-Allow-Origin", origin], vary] : [vary];
}
