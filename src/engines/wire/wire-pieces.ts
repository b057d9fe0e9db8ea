import type { Body, WirePiece } from "../../core/exchange.ts";
import { chunk, LAST_CHUNK } from "./http1/writer.ts";
import type { BodyCoding } from "./send-body.ts";

const NOTHING = new Uint8Array();

/** A response as the parts that it has on the wire. Throws `BodyCut` where its body does. */
export async function* wirePieces(head: Uint8Array, body: Body, coding: BodyCoding | "none"): AsyncGenerator<WirePiece> {
  yield { part: "head", bytes: head, payload: NOTHING };
  if (body instanceof Uint8Array) {
    if (body.length > 0) yield { part: "body", bytes: body, payload: body };
  } else if (body !== null) {
    for (;;) {
      const payload = await body.read();
      if (payload === undefined) break;
      if (payload.length > 0) yield { part: "body", bytes: coding === "payload" ? payload : chunk(payload), payload };
    }
  }
  const isChunked = coding === "chunked" || coding === "as-received";
  yield { part: "end", bytes: isChunked ? LAST_CHUNK : NOTHING, payload: NOTHING };
}
