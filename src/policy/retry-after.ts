import { type HeaderList, headerValue } from "../core/headers.ts";
import { isObject, type JsonObject, objectsOf } from "../dialects/shared.ts";
import { firstObject } from "./classify/said.ts";

/**
 * How long a target asks to be left alone, in milliseconds; undefined where it says nothing, or nothing that makes
 * sense. However long: the caller has a maximum.
 *
 * Headers before the body, as the official SDKs read them (`retry-after-ms` first; openai and @anthropic-ai/sdk,
 * client.ts, `retryRequest`). They do not read `x-ratelimit-reset-*`, so neither does this: those say when a limit is
 * full again, not when the next request fits. Zero and the past count as nothing said, as in those SDKs: who comes
 * back at once makes a storm.
 */
export function retryAfterMs(headers: HeaderList, body: string, wallMs: number): number | undefined {
  return retryAfterOfHeaders(headers, wallMs) ?? retryAfterOfBody(body);
}

/** `wallMs` may be NaN where no clock is at hand: a date then says nothing. */
export function retryAfterOfHeaders(headers: HeaderList, wallMs: number): number | undefined {
  return (
    sensible(decimal(headerValue(headers, "retry-after-ms"))) ??
    sensible(decimal(headerValue(headers, "retry-after")) * 1000) ??
    sensible(httpDateMs(headerValue(headers, "retry-after")) - wallMs)
  );
}

function sensible(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

function decimal(text: string | undefined): number {
  return /^\s*(?:\d+\.?\d*|\.\d+)\s*$/.test(text ?? "") ? Number(text) : Number.NaN;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** The three forms of RFC 9110 section 5.6.7, all of them UTC, and RFC 3339. */
export function httpDateMs(text: string | undefined): number {
  const value = text?.trim() ?? "";
  if (/^\d{4}-\d\d-\d\dt[\d:.]+(?:z|[+-]\d\d:?\d\d)$/i.test(value)) return Date.parse(value);
  const fixed = /^[a-z]{3,9}, (\d\d)[ -]([a-z]{3})[ -](\d{4}|\d\d) (\d\d):(\d\d):(\d\d) (?:gmt|utc)$/i.exec(value);
  if (fixed !== null) return utc(fixed[3], fixed[2], fixed[1], fixed.slice(4));
  const asctime = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/i.exec(value);
  return asctime === null ? Number.NaN : utc(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
}

function utc(year: string | undefined, month: string | undefined, day: string | undefined, time: readonly string[]): number {
  const monthIndex = MONTHS.indexOf((month ?? "").toLowerCase());
  const [hours = 0, minutes = 0, seconds = 0] = time.map(Number);
  // Two digits are of RFC 850, which is from a time before 2000.
  const century = year?.length === 2 ? (Number(year) < 70 ? 2000 : 1900) : 0;
  return monthIndex < 0 ? Number.NaN : Date.UTC(century + Number(year), monthIndex, Number(day), hours, minutes, seconds);
}

/**
 * Google's RetryInfo (google/rpc/error_details.proto), else the sentence: an error inside a stream has no headers, and
 * the sentence is all there is (openai/codex codex-rs/codex-api/src/sse/responses.rs reads it too).
 */
function retryAfterOfBody(body: string): number | undefined {
  const json = firstObject(body);
  return (json === undefined ? undefined : sensible(retryInfoMs(json))) ?? sensible(sentenceMs(body));
}

function retryInfoMs(json: JsonObject): number {
  const details = isObject(json.error) ? json.error.details : json.details;
  const info = objectsOf(details).find(({ "@type": type }) => typeof type === "string" && type.endsWith("google.rpc.RetryInfo"));
  const delay = info?.retryDelay;
  // The JSON form of a duration: decimal seconds and an "s".
  if (typeof delay === "string") return decimal(/^(.*)s$/.exec(delay)?.[1]) * 1000;
  return isObject(delay) ? Number(delay.seconds ?? 0) * 1000 + Number(delay.nanos ?? 0) / 1e6 : Number.NaN;
}

/** A text is looked at so far; the sentence stands in its first lines. */
const SENTENCE_CHARACTERS_MAX = 4_000;

/** "Please try again in 9m38.016s." (OpenAI, Groq), "Please retry in 20.04466179s." (Google), "Please retry after 60 seconds." (Azure). */
function sentenceMs(body: string): number {
  const found =
    /(?:try again|retry) (?:in|after) (?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,12})?) ?(ms|s\b|seconds?))?/i.exec(
      body.slice(0, SENTENCE_CHARACTERS_MAX),
    );
  if (found === null) return Number.NaN;
  const [, hours, minutes, rest, unit] = found;
  return Number(hours ?? 0) * 3_600_000 + Number(minutes ?? 0) * 60_000 + Number(rest ?? 0) * (unit?.toLowerCase() === "ms" ? 1 : 1000);
}
