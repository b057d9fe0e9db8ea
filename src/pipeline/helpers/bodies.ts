import { type Body, BodyCut, type Chunks, type OpenResponse } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";

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

/** All of a body; undefined where it is larger than `bytesMax`. Throws `BodyCut` where it was cut, or nobody waits for it any more. */
export async function wholeOf(body: Body, bytesMax: number, gone: Gone): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array();
  if (body instanceof Uint8Array) return body.length <= bytesMax ? body : undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const next = () => nextWhileWanted(body, gone);
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
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

/** The next piece. An engine whose client has left closes the connection that the body comes from, and tells no reader of it: it throws. */
export async function nextWhileWanted(body: Chunks, gone: Gone): Promise<Uint8Array | undefined> {
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(new BodyCut("reset"));
  if (gone.aborted) leave();
  else gone.addEventListener("abort", leave);
  try {
    return await Promise.race([body.read(), left.promise]);
  } finally {
    gone.removeEventListener("abort", leave);
  }
}

/** Nobody reads the rest of it. */
export function discard({ body }: Pick<OpenResponse, "body">): void {
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}
