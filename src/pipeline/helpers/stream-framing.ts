import type { Identified, OpenResponse } from "../../core/exchange.ts";
import type { Framing } from "../../core/frame.ts";
import { headerValue } from "../../core/headers.ts";
import { DIALECTS } from "../../dialects/index.ts";

/** The framing of a streamed answer; undefined where it is none, or none that can be read. */
export function streamFraming(response: OpenResponse, exchange: Identified): Framing | undefined {
  if (response.status !== 200 || exchange.dialect === undefined) return undefined;
  if ((headerValue(response.headers, "content-encoding") ?? "identity") !== "identity") return undefined;
  const framing = DIALECTS[exchange.dialect].framing(exchange.path, exchange.query);
  const type = headerValue(response.headers, "content-type") ?? "";
  return mediaType(type) === mediaType(framing.contentType) ? framing : undefined;
}

/** Without parameters, in lower case; empty where there is none. */
export function mediaTypeOf({ headers }: OpenResponse): string {
  return mediaType(headerValue(headers, "content-type") ?? "");
}

function mediaType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

/** What is said of a body's bytes, where they change. */
export const FRAMING_FIELDS: ReadonlySet<string> = new Set(["content-length", "content-encoding"]);
