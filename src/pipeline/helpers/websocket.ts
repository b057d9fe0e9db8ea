import type { Received } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";

/**
 * Does the client ask to go over to WebSocket (RFC 6455 section 4.1)? `Upgrade` alone asks for nothing (RFC 9110 section 7.8), and in a POST
 * the two are no more than fields: targets answer it in HTTP.
 */
export function asksForWebSocket({ method, headers }: Pick<Received, "method" | "headers">): boolean {
  if (method !== "GET") return false;
  if (headerValue(headers, "upgrade")?.toLowerCase() !== "websocket") return false;
  return headers.some(([name, value]) => name.toLowerCase() === "connection" && /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(value));
}
