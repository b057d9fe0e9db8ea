import type { OpenResponse } from "../core/exchange.ts";
import type { ProviderName } from "../core/provider.ts";

export const DEGRADED_SIGNAL = "[LLM_PROXY_PROVIDER_DEGRADED]";

/** By which a gateway says that it has tried all it could. */
export const ERROR_CLASS_HEADER = "X-Llm-Proxy-Error-Class";
export const PROVIDER_DEGRADED = "provider_degraded";

/** What a target asks for is passed on, but not for ever: it may be up again tomorrow, and a number is not to grow an exponent. */
const RETRY_AFTER_SECONDS_MAX = 86_400;

/**
 * The answer in the place of a provider that does not work. Clients and frameworks strip status and header; the marker
 * in the text is what survives them. The form is that of Instawork's llm-proxy.
 */
export function degradedAnswer(provider: ProviderName, signal: string, retryAfterMs: number): OpenResponse & { readonly body: Uint8Array } {
  const message = `${signal} Provider ${provider} is currently degraded or unavailable. Please try again later.`;
  return {
    status: 503,
    reason: undefined,
    headers: [
      ["content-type", "application/json"],
      [ERROR_CLASS_HEADER, PROVIDER_DEGRADED],
      ["Retry-After", String(Math.min(Math.max(1, Math.ceil(retryAfterMs / 1_000)), RETRY_AFTER_SECONDS_MAX))],
    ],
    body: new TextEncoder().encode(JSON.stringify({ error: { message, type: PROVIDER_DEGRADED, code: PROVIDER_DEGRADED } })),
  };
}
