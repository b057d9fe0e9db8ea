import type { WirePiece } from "../../core/exchange.ts";
import type { Action, FaultContext } from "../../core/fault.ts";
import type { HeaderList } from "../../core/headers.ts";

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

/** The value of Content-Length in a head; undefined where the body is framed in another way. */
export function lengthIn(head: string): number | undefined {
  const digits = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The head of a good answer of this provider, with the fields that frame its body. */
export function goodHead({ provider, errorContext }: FaultContext, statusLine: string, contentType: string, framing: HeaderList): string {
  const fields = [["content-type", contentType], ...provider.answerHeaders(errorContext), ...framing];
  return `${statusLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}
