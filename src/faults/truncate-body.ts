import type { Action, WireFault } from "../core/fault.ts";
import { numberOf, textOf } from "./helpers/parameters.ts";
import { ALWAYS, headText, lengthIn, passPiece } from "./helpers/wire.ts";

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
  start({ parameters }) {
    const asked = numberOf(parameters, "bytes");
    const end: Action = { kind: textOf(parameters, "by") === "reset" ? "reset" : "close" };
    let allowed = asked;
    return (piece) => {
      if (piece.part === "head") {
        const length = lengthIn(headText(piece));
        allowed ??= length === undefined ? undefined : Math.floor(length / 2);
        return [passPiece(piece)];
      }
      // A body that was shorter than asked for: at least its proper end is missing.
      if (piece.part === "end") return [end];
      const { bytes, payload } = piece;
      allowed ??= Math.floor(payload.length / 2);
      if (payload.length <= allowed) {
        allowed -= payload.length;
        return [passPiece(piece)];
      }
      const before = framingBefore(bytes, payload);
      return [{ kind: "write", bytes: bytes.subarray(0, before + allowed) }, end];
    };
  },
};

/** Bytes of the chunk's size line. */
function framingBefore(bytes: Uint8Array, payload: Uint8Array): number {
  return bytes.length === payload.length ? 0 : bytes.length - payload.length - 2;
}
