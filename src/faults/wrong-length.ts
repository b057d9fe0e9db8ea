import type { WireFault } from "../core/fault.ts";
import { numberOf, textOf } from "./helpers/parameters.ts";
import { ALWAYS, type BodyEnd, bodyEndOf, bytesOf, headText, passPiece, rewritePiece } from "./helpers/wire.ts";

/** What a stream is said to have, whose length nobody knows. */
const STREAM_LENGTH = { less: 10, more: 1_000_000 } as const;

export const wrongLength: WireFault = {
  name: "wrong_length",
  level: "wire",
  summary: "Content-Length is not the length of the body; the connection stays open",
  terminal: true,
  parameters: {
    says: {
      type: "choice",
      choices: ["more", "less"],
      default: "more",
      summary: "more: the client waits for bytes that never come; less: bytes are left over behind the response",
    },
    by: {
      type: "integer",
      minimum: 1,
      default: "10",
      summary: "so many bytes; a stream has no length to compare with and says 1000000 or 10",
    },
  },
  needsRawSockets: ALWAYS,
  acts: "wire",
  start({ exchange, parameters }) {
    const says = textOf(parameters, "says") === "less" ? "less" : "more";
    const by = numberOf(parameters, "by") ?? 10;
    let bodyEnd: BodyEnd | undefined;
    return (piece) => {
      if (piece.part === "head") {
        const head = headText(piece);
        bodyEnd = bodyEndOf(head, exchange.method);
        // There is nothing that a length could be wrong about.
        if (bodyEnd === undefined || (bodyEnd === 0 && says === "less")) return [passPiece(piece)];
        return [rewritePiece(piece, bytesOf(withLength(head, bodyEnd, says, by)))];
      }
      if (bodyEnd === undefined) return [passPiece(piece)];
      if (piece.part === "body") return [typeof bodyEnd === "number" ? passPiece(piece) : rewritePiece(piece, piece.payload)];
      if (says === "more") return [{ kind: "hang" }];
      return typeof bodyEnd === "number" ? [passPiece(piece)] : [];
    };
  },
};

function withLength(head: string, bodyEnd: BodyEnd, says: "more" | "less", by: number): string {
  if (typeof bodyEnd === "number") {
    const said = says === "more" ? bodyEnd + by : Math.max(0, bodyEnd - by);
    return head.replace(/(\r\ncontent-length:[ \t]*)\d+/i, `$1${said}`);
  }
  return head.replace(/\r\ntransfer-encoding:[^\r]*/gi, "").replace(/\r\n\r\n$/, `\r\nContent-Length: ${STREAM_LENGTH[says]}\r\n\r\n`);
}
