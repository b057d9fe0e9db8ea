import type { OpenResponse } from "../core/exchange.ts";
import type { ProviderName } from "../core/provider.ts";

export const DEGRADED_SIGNAL = "[LLM_PROXY_PROVIDER_DEGRADED]";

/** By which a gateway says that it has tried all it could. */
export const ERROR_CLASS_HEADER = "x-llm-proxy-error-class";

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
      ["X-Llm-Proxy-Error-Class", "provider_degraded"],
      ["Retry-After", String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))],
    ],
    body: new TextEncoder().encode(JSON.stringify({ error: { message, type: "provider_degraded", code: "provider_degraded" } })),
  };
}
