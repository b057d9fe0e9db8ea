import type { ForwardFailure } from "../core/exchange.ts";
import { BROKEN, type Failure, type FailureClass, SILENT } from "../core/failure.ts";
import { type HeaderList, headerValue } from "../core/headers.ts";
import type { ProviderName } from "../core/provider.ts";
import type { ErrorFacts } from "../translate/errors.ts";
import { rateLimitClass } from "./classify/rate-limit.ts";
import { errorObjectIn, firstObject, readSaid, type Said, saidIn } from "./classify/said.ts";
import {
  CLASS_BY_WORD,
  CONTENT_FILTER,
  CONTEXT,
  CURRENT_QUOTA,
  NEVER_FITS,
  QUOTA,
  QUOTA_IN_403,
  RATE_WORDS,
  SERVERS_FAULT,
  STATUS_BY_WORD,
  WRONG_KEY,
} from "./classify/words.ts";
import { ERROR_CLASS_HEADER, PROVIDER_DEGRADED } from "./degraded-answer.ts";
import { retryAfterMs } from "./retry-after.ts";

/** `body` as text, without content coding. */
export type ErrorAnswer = { readonly status: number; readonly headers: HeaderList; readonly body: string };

/** The class of a whole answer; undefined where its status is none of an error. What it says counts before its status. */
export function classify(provider: ProviderName, { status, headers, body }: ErrorAnswer): FailureClass | undefined {
  return status < 400 ? undefined : classOf(provider, status, headers, readSaid(body));
}

/**
 * An error inside a 200, as its HTTP form would be classified. `error` is the payload of an event, of an element or of
 * the whole answer, or what was read from it; `headers` are those of the 200. Undefined where the payload is no error.
 */
export function classifyStreamError(provider: ProviderName, headers: HeaderList, error: string | ErrorFacts): FailureClass | undefined {
  const said = typeof error === "string" ? saidInPayload(error) : saidOfFacts(error);
  return said === undefined ? undefined : classOf(provider, statusOf(said), headers, said);
}

/** The status that an error inside a 200 would have had; undefined where the payload is no error. */
export function statusOfStreamError(payload: string): number | undefined {
  const said = saidInPayload(payload);
  return said === undefined ? undefined : statusOf(said);
}

/** The failure that an answer means, with what its retries need to know; undefined where it is none. */
export function failureOfAnswer(provider: ProviderName, answer: ErrorAnswer, wallMs: number): Failure | undefined {
  const found = classify(provider, answer);
  return found === undefined ? undefined : failure(found, answer.headers, answer.body, wallMs);
}

/** The same for a payload of a 200, or for the whole of it. */
export function failureInAnswer(provider: ProviderName, headers: HeaderList, payload: string, wallMs: number): Failure | undefined {
  const found = classifyStreamError(provider, headers, payload);
  return found === undefined ? undefined : failure(found, headers, payload, wallMs);
}

/**
 * Undefined where it says nothing of the target: the client left or sent too much, the time that the request itself allows is over, or
 * it is our own configuration that no request can be sent with. Those are neither retried nor counted.
 */
export function failureOfForward({ reason }: ForwardFailure): Failure | undefined {
  switch (reason) {
    case "client_gone":
    case "no_upstream":
    case "client_certificate":
    case "time_budget":
    case "request_too_large":
      return undefined;
    case "upstream_timeout":
      return SILENT;
    case "upstream_refused":
    case "upstream_dns":
    case "upstream_tls":
    case "upstream_closed_early":
    case "upstream_protocol":
      return BROKEN;
  }
}

function failure(found: FailureClass, headers: HeaderList, body: string, wallMs: number): Failure {
  return {
    class: found,
    isSilent: false,
    retryAfterMs: retryAfterMs(headers, body, wallMs),
    ...(isFinal(headers, body) ? { isFinal: true } : {}),
  };
}

const ERROR_CLASS_FIELD = ERROR_CLASS_HEADER.toLowerCase();

/** A gateway before the provider tells so that it has given up already, and that only the caller's next provider helps. */
function hasGivenUp(headers: HeaderList): boolean {
  return headerValue(headers, ERROR_CLASS_FIELD)?.trim().toLowerCase() === PROVIDER_DEGRADED;
}

/** `x-should-retry` is obeyed as the official SDKs do (openai, client.ts, `shouldRetry`). */
function isFinal(headers: HeaderList, body: string): boolean {
  return (
    hasGivenUp(headers) || headerValue(headers, "x-should-retry")?.trim().toLowerCase() === "false" || NEVER_FITS.test(readSaid(body).text)
  );
}

function classOf(provider: ProviderName, status: number, headers: HeaderList, said: Said): FailureClass {
  if (hasGivenUp(headers)) return "degraded";
  if (isRateLimit(status, said)) return rateLimitClass(provider, headers, said);
  return classByContent(provider, status, said) ?? classByStatus(provider, status, headers, said);
}

/** Limits that other statuses carry: tokens per minute with a 413 (Groq), requests in flight with a 402 (OpenRouter). */
function isRateLimit(status: number, { words }: Said): boolean {
  if (words.includes("openrouter_in_flight_budget")) return true;
  return (status === 400 || status === 413) && words.some((word) => RATE_WORDS.has(word));
}

function classByContent(provider: ProviderName, status: number, said: Said): FailureClass | undefined {
  for (const word of said.words) {
    const found = CLASS_BY_WORD.get(word);
    if (found !== undefined) return found;
  }
  if (isQuota(provider, status, said)) return "quota";
  if (CONTEXT_STATUSES.has(status) && CONTEXT.test(said.text)) return "context_window";
  if (FILTER_STATUSES.has(status) && CONTENT_FILTER.test(said.text)) return "content_filter";
  return status === 400 && WRONG_KEY.test(said.text) ? "auth" : undefined;
}

/** Not 429: the text of a rate limit speaks of prompts and tokens too. Gateways and local servers tell it with a 422 or 500. */
const CONTEXT_STATUSES: ReadonlySet<number> = new Set([400, 413, 422, 500]);

const FILTER_STATUSES: ReadonlySet<number> = new Set([400, 403, 422, 451]);

function isQuota(provider: ProviderName, status: number, { words, text, quotaIds }: Said): boolean {
  if (quotaIds.some((id) => id.includes("perday"))) return true;
  if (status >= 500) return false;
  if (QUOTA.test(text) || (status === 403 && QUOTA_IN_403.test(text))) return true;
  return provider !== "google" && !words.includes("resource_exhausted") && CURRENT_QUOTA.test(text);
}

function classByStatus(provider: ProviderName, status: number, headers: HeaderList, said: Said): FailureClass {
  // 408 is a timeout of the target's, or of what stands before it.
  if (status >= 500 || status === 408) return "degraded";
  // A model that the account may not use (OpenAI): the key is right.
  if (status === 403 && said.words.includes("model_not_found")) return "client";
  if (status === 401 || status === 403) return "auth";
  if (status === 402) return "quota";
  return status === 429 ? rateLimitClass(provider, headers, said) : "client";
}

function saidInPayload(payload: string): Said | undefined {
  const json = firstObject(payload);
  const error = json === undefined ? undefined : errorObjectIn(json);
  return error === undefined ? undefined : saidIn(error);
}

function saidOfFacts({ message, type, code, param }: ErrorFacts): Said {
  return saidIn({ message, type, code, param });
}

/** Of an error inside a 200. Words for any mistake say the least: DeepSeek puts one on everything. */
function statusOf({ status, words, text }: Said): number {
  if (status !== undefined) return status;
  const known = words.flatMap((word) => STATUS_BY_WORD.get(word) ?? []);
  const clear = known.find((one) => one !== 400);
  if (clear !== undefined) return clear;
  return known.length > 0 && !SERVERS_FAULT.test(text) ? 400 : 500;
}
