import type { Identified, RequestBody } from "../../core/exchange.ts";

/** A body that can be sent again: the first time as it came, later as one piece. */
export function repeatableBody(body: RequestBody, bytes: Uint8Array): RequestBody {
  let isSent = false;
  return {
    lengthBytes: body.lengthBytes,
    whole: async (bytesMax) => (bytes.length <= bytesMax ? bytes : undefined),
    forward() {
      if (isSent) return bytes;
      isSent = true;
      return body.forward();
    },
  };
}

/** A body that was written anew. */
export function bodyOf(bytes: Uint8Array): RequestBody {
  return {
    lengthBytes: bytes.length,
    whole: async (bytesMax) => (bytes.length <= bytesMax ? bytes : undefined),
    forward: () => bytes,
  };
}

/** The same exchange with another body. Named one by one: a spread costs several times as much. */
export function withBody(exchange: Identified, body: RequestBody): Identified {
  return {
    id: exchange.id,
    method: exchange.method,
    target: exchange.target,
    authority: exchange.authority,
    via: exchange.via,
    headers: exchange.headers,
    body,
    listenerProvider: exchange.listenerProvider,
    clientGone: exchange.clientGone,
    interim: exchange.interim,
    canUpgrade: exchange.canUpgrade,
    provider: exchange.provider,
    upstreamTarget: exchange.upstreamTarget,
    path: exchange.path,
    query: exchange.query,
    receivedMonotonicMs: exchange.receivedMonotonicMs,
    kind: exchange.kind,
    dialect: exchange.dialect,
  };
}
