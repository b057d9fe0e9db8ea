import type { BeforeFault, FaultContext } from "../core/fault.ts";
import { plainAnswer, rendered } from "./helpers/answer.ts";
import { textOf } from "./helpers/parameters.ts";
import { ALWAYS, bytesOf, goodHead } from "./helpers/wire.ts";

const KINDS = ["bytes", "status_line", "chunk_size", "binary"] as const;

/** Enough that no reader takes it for the beginning of something. */
const GARBAGE_BYTES = 256;

export const garbage: BeforeFault = {
  name: "garbage",
  level: "wire",
  summary: "bytes that are not HTTP come in place of a response, or HTTP that is broken in one place",
  terminal: true,
  parameters: {
    kind: {
      type: "choice",
      choices: KINDS,
      default: "bytes",
      summary: "bytes: no HTTP at all; status_line: letters for digits; chunk_size: no hexadecimal; binary: right HTTP, no JSON",
    },
  },
  needsRawSockets: ALWAYS,
  acts: "before",
  plan(context) {
    const bytes = garbageOf(context);
    // Only right HTTP can leave the connection usable.
    return textOf(context.parameters, "kind") === "binary" ? [{ kind: "write", bytes }] : [{ kind: "write", bytes }, { kind: "close" }];
  },
};

function garbageOf(context: FaultContext): Uint8Array {
  const { contentType, text } =
    context.dialect === undefined
      ? { contentType: "application/json", text: '{"object":"list","data":[]}' }
      : rendered(context, context.dialect, plainAnswer(context));
  const body = Buffer.from(text, "utf8");
  switch (textOf(context.parameters, "kind")) {
    case "status_line":
      return Buffer.concat([bytesOf(goodHead(context, "HTTP/1.1 2OO OK", contentType, [["content-length", String(body.length)]])), body]);
    case "chunk_size":
      return Buffer.concat([
        bytesOf(goodHead(context, "HTTP/1.1 200 OK", contentType, [["transfer-encoding", "chunked"]])),
        bytesOf("zz\r\n"),
        body,
        bytesOf("\r\n0\r\n\r\n"),
      ]);
    case "binary":
      return Buffer.concat([
        bytesOf(goodHead(context, "HTTP/1.1 200 OK", "application/json", [["content-length", String(GARBAGE_BYTES)]])),
        noText(context),
      ]);
    default:
      return noText(context);
  }
}

/** Begins with a byte that begins no status line and no JSON text. */
function noText({ random }: FaultContext): Uint8Array {
  return Uint8Array.from({ length: GARBAGE_BYTES }, (_, index) => (index === 0 ? 0x80 : Math.floor(random.next() * 256)));
}
