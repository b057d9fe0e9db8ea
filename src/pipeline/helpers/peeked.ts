import type { Body } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { nextWhileWanted } from "./bodies.ts";

/** A body of which the beginning has been read. */
export type Peeked =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  /** It is larger; here it is, from its first byte. */
  | { readonly kind: "larger"; readonly body: Body };

/**
 * Reads a body as far as it goes, or a little further than `bytesMax`; nothing of it is lost. Throws `BodyCut` where it was cut, or nobody
 * waits for it any more.
 */
export async function peeked(body: Body, bytesMax: number, gone: Gone): Promise<Peeked> {
  if (body === null) return { kind: "whole", bytes: new Uint8Array() };
  if (body instanceof Uint8Array) return body.length <= bytesMax ? { kind: "whole", bytes: body } : { kind: "larger", body };
  const read: Uint8Array[] = [];
  let length = 0;
  const next = () => nextWhileWanted(body, gone);
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
    length += chunk.length;
    // A chunk may be a view of bytes that are used again.
    read.push(chunk.slice());
    if (length > bytesMax) {
      const more = () => body.read();
      return { kind: "larger", body: { read: async () => read.shift() ?? more(), cancel: () => body.cancel() } };
    }
  }
  const [only] = read;
  return { kind: "whole", bytes: read.length === 1 && only !== undefined ? only : Buffer.concat(read) };
}
