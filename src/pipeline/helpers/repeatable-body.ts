import type { AtHand, Body, Identified, RequestBody } from "../../core/exchange.ts";
import { chunksOf } from "./bodies.ts";

/** A body that can be sent again: the first time as it came, later as one piece, and framed as it was. */
export function repeatableBody(body: RequestBody, there: Uint8Array | AtHand): RequestBody {
  // What is there from the beginning can be sent as often as one likes.
  if (body.atHand !== undefined) return body;
  let first: Body | Promise<Body> | undefined;
  const bytes = () => (there instanceof Uint8Array ? there : there.bytes());
  return {
    lengthBytes: body.lengthBytes,
    whole: async (bytesMax) => (there.length <= bytesMax ? bytes() : undefined),
    forward() {
      if (first === undefined) {
        first = body.forward();
        return first;
      }
      // No length was told, and the head stays as it is: without chunks nobody knew where the body ends.
      if (body.lengthBytes === undefined) return chunksOf(bytes());
      return there.length === 0 ? first : bytes();
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

/**
 * The same exchange with a body that can be sent again, and nobody to tell of interim answers: those of an attempt that fails are not for the
 * client. Named one by one: a spread costs several times as much.
 */
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
    interim: undefined,
    canUpgrade: exchange.canUpgrade,
    isLocal: exchange.isLocal,
    provider: exchange.provider,
    upstreamTarget: exchange.upstreamTarget,
    path: exchange.path,
    query: exchange.query,
    receivedMonotonicMs: exchange.receivedMonotonicMs,
    kind: exchange.kind,
    dialect: exchange.dialect,
  };
}
