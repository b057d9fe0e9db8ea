import type { OpenResponse } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";
import { fieldLine, fieldLines, statusLine } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import type { BodyCoding } from "./send-body.ts";

/** What of the request and of its connection decides the form of a response. */
export type Asked = {
  readonly method: string;
  readonly minor: 0 | 1;
  /** May the connection stay open after the response? */
  readonly keepAlive: boolean;
};

export type ResponseForm = { readonly head: string; readonly coding: BodyCoding | "none"; readonly keepAlive: boolean };

/**
 * How a response is put on the wire (RFC 9112 section 6): a length stays a length, chunks stay chunks, and what ended with the
 * connection ends so again. A body whose length nobody knows is chunked, or ends with the connection where the client is older than that.
 */
export function responseForm(response: OpenResponse, asked: Asked): ResponseForm {
  const { status, reason, headers } = response;
  const { coding, keepAlive, framing } = codingOf(response, asked);
  const head = `${statusLine(status, reason)}${fieldLines(headers)}${framing}${connectionLine(keepAlive, asked)}\r\n`;
  return { head, coding, keepAlive };
}

function codingOf({ status, headers, body }: OpenResponse, { method, minor, keepAlive }: Asked) {
  if (method === "HEAD" || status === 204 || status === 304) return { coding: "none", keepAlive, framing: "" } as const;
  const length = headerValue(headers, "content-length");
  if (length !== undefined) return { coding: "payload", keepAlive, framing: "" } as const;
  if (body === null || body instanceof Uint8Array) {
    return { coding: "payload", keepAlive, framing: fieldLine("Content-Length", String(body?.length ?? 0)) } as const;
  }
  const isUntilClose = body instanceof IncomingBody && body.framing.kind === "close";
  if (isUntilClose || minor === 0) return { coding: "payload", keepAlive: false, framing: "" } as const;
  const coding = body instanceof IncomingBody ? "as-received" : "chunked";
  return { coding, keepAlive, framing: fieldLine("Transfer-Encoding", "chunked") } as const;
}

/** Said where it is not what the version means by itself (RFC 9112 section 9.3). */
function connectionLine(keepAlive: boolean, { minor }: Asked): string {
  if (!keepAlive) return fieldLine("Connection", "close");
  return minor === 0 ? fieldLine("Connection", "keep-alive") : "";
}
