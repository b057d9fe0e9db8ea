import type { OpenResponse } from "../../core/exchange.ts";
import { type HeaderList, headerValue } from "../../core/headers.ts";
import { responseHead } from "./http1/writer.ts";
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
export function responseForm({ status, reason, headers, body }: OpenResponse, asked: Asked): ResponseForm {
  const form = (coding: ResponseForm["coding"], keepAlive: boolean, ...added: readonly (readonly [string, string])[]): ResponseForm => {
    const all: HeaderList = [...headers, ...added, ...connectionField(keepAlive, asked)];
    return { head: responseHead(status, reason, all), coding, keepAlive };
  };
  if (asked.method === "HEAD" || status === 204 || status === 304) return form("none", asked.keepAlive);
  const length = headerValue(headers, "content-length");
  if (body === null || body instanceof Uint8Array) {
    const added: readonly (readonly [string, string])[] = length === undefined ? [["Content-Length", String(body?.length ?? 0)]] : [];
    return form("payload", asked.keepAlive, ...added);
  }
  if (length !== undefined) return form("payload", asked.keepAlive);
  const isUntilClose = body instanceof IncomingBody && body.framing.kind === "close";
  if (isUntilClose || asked.minor === 0) return form("payload", false);
  return form(body instanceof IncomingBody ? "as-received" : "chunked", asked.keepAlive, ["Transfer-Encoding", "chunked"]);
}

/** Said where it is not what the version means by itself (RFC 9112 section 9.3). */
function connectionField(keepAlive: boolean, { minor }: Asked): HeaderList {
  if (!keepAlive) return [["Connection", "close"]];
  return minor === 0 ? [["Connection", "keep-alive"]] : [];
}
