import type { Action, BeforeFault, FaultContext } from "../core/fault.ts";
import type { HeaderList } from "../core/headers.ts";
import { plainAnswer, rendered } from "./helpers/answer.ts";
import { textOf } from "./helpers/parameters.ts";
import { bytesOf } from "./helpers/wire.ts";

const KINDS = ["bytes", "status_line", "chunk_size", "binary"] as const;

/** Enough that no reader takes it for the beginning of something. */
const GARBAGE_BYTES = 256;

/** What an endpoint of no known dialect might list. */
const EMPTY_LIST = { contentType: "application/json", text: '{"object":"list","data":[]}' };

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
  needsRawSockets: (parameters) => textOf(parameters, "kind") !== "binary",
  acts: "before",
  plan(context) {
    const { contentType, text } = context.dialect === undefined ? EMPTY_LIST : rendered(context, context.dialect, plainAnswer(context));
    const fields: HeaderList = [["content-type", contentType], ...context.provider.answerHeaders(context.errorContext)];
    const body = Buffer.from(text, "utf8");
    switch (textOf(context.parameters, "kind")) {
      case "status_line":
        return wire(head("HTTP/1.1 2OO OK", [...fields, ["content-length", String(body.length)]]), body);
      case "chunk_size":
        return wire(
          head("HTTP/1.1 200 OK", [...fields, ["transfer-encoding", "chunked"]]),
          bytesOf("zz\r\n"),
          body,
          bytesOf("\r\n0\r\n\r\n"),
        );
      case "binary":
        return [{ kind: "respond", status: 200, headers: fields, body: noText(context) }];
      default:
        return wire(noText(context));
    }
  },
};

/** Nothing that is not HTTP can leave the connection usable. */
function wire(...parts: readonly Uint8Array[]): readonly Action[] {
  return [{ kind: "write", bytes: Buffer.concat(parts) }, { kind: "close" }];
}

function head(statusLine: string, fields: HeaderList): Uint8Array {
  return bytesOf(`${statusLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
}

/** Begins with a byte that begins no status line and no JSON text. */
function noText({ random }: FaultContext): Uint8Array {
  return Uint8Array.from({ length: GARBAGE_BYTES }, (_, index) => (index === 0 ? 0x80 : Math.floor(random.next() * 256)));
}
