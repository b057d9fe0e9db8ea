import type { Identified, RequestFacts } from "../../core/exchange.ts";
import { headerValue, withoutHeaders } from "../../core/headers.ts";
import { parseObject } from "../../dialects/shared.ts";
import { bodyOf } from "./repeatable-body.ts";

const REWRITTEN: ReadonlySet<string> = new Set(["content-length"]);
const ADDED = new TextEncoder().encode(',"stream_options":{"include_usage":true}');
const CLOSING_BRACE = 0x7d;

/**
 * The same request, asked for its usage too; undefined where that is not needed or cannot be done. Only Chat Completions streams tell none
 * unless they are asked. Every other byte of the body stays as it came.
 */
export function askedForUsage(exchange: Identified, facts: RequestFacts, body: Uint8Array | undefined): Identified | undefined {
  if (exchange.dialect !== "chat" || !facts.stream || facts.usageInStream || body === undefined) return undefined;
  if ((headerValue(exchange.headers, "content-encoding") ?? "identity") !== "identity") return undefined;
  const json = parseObject(new TextDecoder().decode(body));
  // Somebody who sets options of streams means them.
  if (json === undefined || "stream_options" in json) return undefined;
  const end = body.lastIndexOf(CLOSING_BRACE);
  const bytes = Buffer.concat([body.subarray(0, end), ADDED, body.subarray(end)]);
  return {
    ...exchange,
    headers: [...withoutHeaders(exchange.headers, REWRITTEN), ["Content-Length", String(bytes.length)]],
    body: bodyOf(bytes),
  };
}
