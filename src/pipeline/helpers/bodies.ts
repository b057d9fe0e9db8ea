import type { Body, Chunks } from "../../core/exchange.ts";

/** A body as chunks, whatever it was. */
export function chunksOf(body: Exclude<Body, null>): Chunks {
  if (!(body instanceof Uint8Array)) return body;
  let rest: Uint8Array | undefined = body;
  return {
    async read() {
      const chunk = rest;
      rest = undefined;
      return chunk;
    },
    cancel() {},
  };
}

/** All of a body; undefined where it is larger than `bytesMax`. Throws `BodyCut` where it was cut. */
export async function wholeOf(body: Body, bytesMax: number): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array();
  if (body instanceof Uint8Array) return body.length <= bytesMax ? body : undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    length += chunk.length;
    if (length > bytesMax) {
      body.cancel();
      return undefined;
    }
    // A chunk may be a view of bytes that are used again.
    chunks.push(chunk.slice());
  }
  return Buffer.concat(chunks);
}
