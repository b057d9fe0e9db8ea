import { type HeaderList, headerValue } from "../../core/headers.ts";
import type { ProviderName } from "../../core/provider.ts";
import { retryAfterOfHeaders } from "../retry-after.ts";
import type { Said } from "./said.ts";
import { NEVER_FITS } from "./words.ts";

/** Who has to wait so long is not out of it with one small request. */
const GLOBAL_RETRY_AFTER_MS = 60_000;

/** Is the whole account out of its rate, or was it this request at this moment? */
export function rateLimitClass(provider: ProviderName, headers: HeaderList, said: Said): "global_rate_limit" | "local_rate_limit" {
  return !NEVER_FITS.test(said.text) && isGlobal(provider, headers, said) ? "global_rate_limit" : "local_rate_limit";
}

function isGlobal(provider: ProviderName, headers: HeaderList, said: Said): boolean {
  switch (provider) {
    case "openai":
      return (
        (isZero(headers, "x-ratelimit-remaining-requests") && isZero(headers, "x-ratelimit-remaining-tokens")) ||
        asksForLong(headers) ||
        !headers.some(([name]) => /^(?:x-ratelimit-|retry-after)/i.test(name))
      );
    case "anthropic":
      return (isZero(headers, "anthropic-ratelimit-requests-remaining") && anthropicTokensGone(headers)) || asksForLong(headers);
    case "google":
      return said.text.includes("quota");
    default:
      return false;
  }
}

/** `tokens` is that of the input and output limits which is nearer to its end; older answers have it alone. */
function anthropicTokensGone(headers: HeaderList): boolean {
  return isZero(headers, "anthropic-ratelimit-tokens-remaining") || isZero(headers, "anthropic-ratelimit-input-tokens-remaining");
}

function isZero(headers: HeaderList, name: string): boolean {
  return /^\s*0+\s*$/.test(headerValue(headers, name) ?? "");
}

function asksForLong(headers: HeaderList): boolean {
  // A date is held against the answer's own.
  const sentMs = Date.parse(headerValue(headers, "date") ?? "");
  return (retryAfterOfHeaders(headers, sentMs) ?? 0) >= GLOBAL_RETRY_AFTER_MS;
}
