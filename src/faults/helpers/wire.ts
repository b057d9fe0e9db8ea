import type { WirePiece } from "../../core/exchange.ts";
import type { Action } from "../../core/fault.ts";

/** The piece as it would have gone out. */
export function passPiece(piece: WirePiece): Action {
  return { kind: "write", bytes: piece.bytes, piece };
}

/** A piece with other bytes, which a further fault sees as that piece. */
export function rewritePiece(piece: WirePiece, bytes: Uint8Array): Action {
  return passPiece({ ...piece, bytes });
}

/** Faults that only an engine on raw sockets can perform, whatever their parameters. */
export const ALWAYS = () => true;

/** A head as text, one character a byte. */
export function headText(piece: WirePiece): string {
  return Buffer.from(piece.bytes).toString("latin1");
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** What says where the body of a response ends (RFC 9112 section 6.3): its length, chunk framing, or the end of the connection. */
export type BodyEnd = number | "chunked" | "connection";

/** Of the response with this head to a request of this method; undefined where there is no body whatever the head says. */
export function bodyEndOf(head: string, method: string): BodyEnd | undefined {
  if (method === "HEAD" || /^HTTP\/1\.1 (?:1\d\d|204|304) /.test(head)) return undefined;
  const digits = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1];
  if (digits !== undefined) return Number(digits);
  return /\r\ntransfer-encoding:/i.test(head) ? "chunked" : "connection";
}
