import type { RequestBody } from "../../core/exchange.ts";

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
