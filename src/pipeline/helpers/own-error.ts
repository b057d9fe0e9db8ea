import type { OpenResponse } from "../../core/exchange.ts";
import type { ProviderName } from "../../core/provider.ts";
import { PROVIDERS } from "../../providers/index.ts";

/** An answer of our own, in the provider's shape and marked, so that nobody mistakes it for the provider's. */
export function ownError(provider: ProviderName, status: number, reason: string, message: string): OpenResponse {
  return {
    status,
    reason: undefined,
    headers: [
      ["content-type", "application/json"],
      ["x-faultproxy-error", reason],
    ],
    body: new TextEncoder().encode(JSON.stringify(PROVIDERS[provider].ownError(status, reason, `faultproxy: ${message}`))),
  };
}
