import type { WireFault } from "../core/fault.ts";
import { numberOf, textOf } from "./helpers/parameters.ts";
import { ALWAYS, bytesOf, headText, lengthIn, rewritePiece } from "./helpers/wire.ts";

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
  start({ parameters }) {
    const says = textOf(parameters, "says") === "less" ? "less" : "more";
    const by = numberOf(parameters, "by") ?? 10;
    return (piece) => {
      if (piece.part === "body") return [rewritePiece(piece, piece.payload)];
      if (piece.part === "end") return says === "more" ? [{ kind: "hang" }] : [];
      const head = headText(piece);
      const length = lengthIn(head);
      const said = length === undefined ? STREAM_LENGTH[says] : says === "more" ? length + by : Math.max(0, length - by);
      const field = `\r\ncontent-length: ${said}`;
      const changed =
        length === undefined
          ? head.replace(/\r\n(transfer-encoding|connection):[^\r]*/gi, "").replace(/\r\n\r\n$/, `${field}\r\n\r\n`)
          : head.replace(/\r\ncontent-length:[^\r]*/i, field);
      return [rewritePiece(piece, bytesOf(changed))];
    };
  },
};
