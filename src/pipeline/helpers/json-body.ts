import type { Identified } from "../../core/exchange.ts";
import { type HeaderList, withoutHeaders } from "../../core/headers.ts";
import type { JsonObject } from "../../dialects/shared.ts";
import { bodyOf } from "./repeatable-body.ts";

/** What is said of the bytes of a body. */
const OF_BODY: ReadonlySet<string> = new Set(["content-type", "content-length", "content-encoding", "digest"]);

/** Those of a body that has been written anew: as JSON, without a coding, of this length. */
export function jsonFields(headers: HeaderList, lengthBytes: number): HeaderList {
  return [...withoutHeaders(headers, OF_BODY), ["Content-Type", "application/json"], ["Content-Length", String(lengthBytes)]];
}

/** The same request with another body. */
export function withJsonBody(exchange: Identified, json: JsonObject): Identified {
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  return { ...exchange, headers: jsonFields(exchange.headers, bytes.length), body: bodyOf(bytes) };
}
