import type { MessageHead, RequestLine } from "./http1/message.ts";
import type { RefusalStatus } from "./refusal.ts";

export type Refused = { readonly status: RefusalStatus; readonly code: string; readonly message: string };

/** The target without the scheme and authority that clients of proxies send (RFC 9112 section 3.2); where they point to does not count, but for who may use the proxy. */
export function originForm({ method, target }: MessageHead<RequestLine>): string | Refused {
  if (method === "CONNECT") {
    const message = "CONNECT is not supported: use the address of this proxy as the base URL";
    return { status: 501, code: "connect_unsupported", message };
  }
  if (target.startsWith("/")) return target;
  if (target === "*" && method === "OPTIONS") return target;
  const absolute = /^https?:\/\/[^/?]+(.*)$/i.exec(target);
  const rest = absolute?.[1];
  if (rest === undefined) return { status: 400, code: "bad_target", message: "the request target is neither a path nor an http URL" };
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Of a target in absolute form. */
export function authorityOf(target: string): string | undefined {
  return /^https?:\/\/([^/?]+)/i.exec(target)?.[1];
}
