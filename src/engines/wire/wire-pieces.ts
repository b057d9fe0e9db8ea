import type { Body, WirePiece } from "../../core/exchange.ts";
import { chunk, LAST_CHUNK } from "./http1/writer.ts";
import type { BodyCoding } from "./send-body.ts";

const NOTHING = new Uint8Array();

/** A response as the parts that it has on the wire. Throws `BodyCut` where its body does; a body that is not read to its end is cancelled. */
export async function* wirePieces(head: Uint8Array, body: Body, coding: BodyCoding | "none"): AsyncGenerator<WirePiece> {
  try {
    yield { part: "head", bytes: head, payload: NOTHING };
    if (coding !== "none") for await (const payload of payloadsOf(body)) yield bodyPiece(payload, coding);
    const isChunked = coding === "chunked" || coding === "as-received";
    yield { part: "end", bytes: isChunked ? LAST_CHUNK : NOTHING, payload: NOTHING };
  } finally {
    if (body !== null && !(body instanceof Uint8Array)) body.cancel();
  }
}

async function* payloadsOf(body: Body): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  if (body instanceof Uint8Array) {
    if (body.length > 0) yield body;
    return;
  }
  for (;;) {
    const payload = await body.read();
    if (payload === undefined) return;
    if (payload.length > 0) yield payload;
  }
}

function bodyPiece(payload: Uint8Array, coding: BodyCoding): WirePiece {
  return { part: "body", bytes: coding === "payload" ? payload : chunk(payload), payload };
}
