import type { Action, WireFault } from "../core/fault.ts";
import { numberOf, textOf } from "./helpers/parameters.ts";
import { ALWAYS, type BodyEnd, bodyEndOf, headText, passPiece } from "./helpers/wire.ts";

export const truncateBody: WireFault = {
  name: "truncate_body",
  level: "wire",
  summary: "fewer bytes come than Content-Length promised; without one, a chunk breaks off in its middle",
  terminal: true,
  parameters: {
    bytes: { type: "integer", minimum: 0, summary: "of the body that still come; default: half of it, or of the first chunk" },
    by: { type: "choice", choices: ["fin", "reset"], default: "fin", summary: "fin: FIN after the last byte; reset: RST" },
  },
  needsRawSockets: ALWAYS,
  acts: "wire",
  start({ exchange, parameters }) {
    const end: Action = { kind: textOf(parameters, "by") === "reset" ? "reset" : "close" };
    let bodyEnd: BodyEnd | undefined;
    /** Bytes of the body that may still come. */
    let left = numberOf(parameters, "bytes");
    return (piece) => {
      const { part, bytes, payload } = piece;
      if (part === "head") {
        bodyEnd = bodyEndOf(headText(piece), exchange.method);
        if (typeof bodyEnd === "number") left ??= Math.floor(bodyEnd / 2);
        return [passPiece(piece)];
      }
      if (part === "end") {
        // Of a body with a length nothing is missing here, and what was to come was more than there is.
        const isMissing = (bodyEnd === "chunked" || bodyEnd === "connection") && (left ?? 0) === 0;
        return isMissing ? [end] : [passPiece(piece)];
      }
      left ??= Math.floor(payload.length / 2);
      if (payload.length > left) return [{ kind: "write", bytes: bytes.subarray(0, framingBefore(bytes, payload) + left) }, end];
      left -= payload.length;
      return [passPiece(piece)];
    };
  },
};

/** Bytes of the chunk's size line. */
function framingBefore(bytes: Uint8Array, payload: Uint8Array): number {
  return bytes.length === payload.length ? 0 : bytes.length - payload.length - 2;
}
