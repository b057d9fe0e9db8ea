import type { Identified, RequestFacts } from "../../core/exchange.ts";
import type { Gateway } from "../../core/gateway.ts";
import { headerValue } from "../../core/headers.ts";
import { percentDecoded } from "../../core/percent-decoded.ts";
import type { Caller } from "../../core/state-store.ts";

/** Longer names are cut: they stand in headers, metrics and memory. */
const NAME_CHARACTERS_MAX = 128;

/** Whose request it is. */
export function callerOf(exchange: Identified, facts: RequestFacts, gateway: Gateway): Caller {
  const secret = secretOf(exchange);
  return {
    provider: exchange.provider,
    model: facts.model === undefined ? undefined : named(facts.model),
    key: secret === undefined ? undefined : gateway.hashOf(secret),
    user: named(headerValue(exchange.headers, gateway.userHeader) ?? facts.user ?? "") || undefined,
  };
}

/** A name from the wire as it can stand in a header field (RFC 9110 section 5.5) or a label. */
export function named(text: string): string {
  return text.slice(0, NAME_CHARACTERS_MAX).replace(/[^!-~]/g, "?");
}

const PLACES = ["x-faultproxy-key", "authorization", "x-api-key", "x-goog-api-key", "api-key"] as const;

/** What the client lets itself in with: the proxy's own key before the provider's. */
function secretOf({ headers, query }: Identified): string | undefined {
  for (const place of PLACES) {
    const value = headerValue(headers, place);
    if (value !== undefined && value !== "") return place === "authorization" ? value.replace(/^bearer\s+/i, "") : value;
  }
  const inQuery = query === "" ? undefined : /(?:^|&)key=([^&]+)/.exec(query)?.[1];
  return inQuery === undefined ? undefined : percentDecoded(inQuery);
}
