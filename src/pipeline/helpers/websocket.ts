import { type HeaderList, headerValue } from "../../core/headers.ts";

/** Does the client ask to go over to WebSocket (RFC 6455 section 4.1)? `Upgrade` alone asks for nothing (RFC 9110 section 7.8). */
export function asksForWebSocket(headers: HeaderList): boolean {
  if (headerValue(headers, "upgrade")?.toLowerCase() !== "websocket") return false;
  return headers.some(([name, value]) => name.toLowerCase() === "connection" && /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(value));
}
