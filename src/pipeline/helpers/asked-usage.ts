import type { Identified, RequestFacts } from "../../core/exchange.ts";
import { headerValue, withoutHeaders } from "../../core/headers.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import { parseObject } from "../../dialects/shared.ts";
import { bodyOf } from "./repeatable-body.ts";

const REWRITTEN: ReadonlySet<string> = new Set(["content-length"]);
const ADDED = new TextEncoder().encode(',"stream_options":{"include_usage":true}');
const CLOSING_BRACE = 0x7d;

/** What vouches for the bytes of a body (RFC 9530, RFC 9421, RFC 1864, Amazon's signatures); another body would be refused. */
const OF_ITS_BYTES: ReadonlySet<string> = new Set([
  "content-digest",
  "content-md5",
  "digest",
  "repr-digest",
  "signature",
  "x-amz-content-sha256",
]);

/**
 * Mistral's own API: every stream tells its usage at its end, and whoever asks for it gets 422, `extra_forbidden` of `stream_options.include_usage`
 * (openai/openai-agents-python#442, vybestack/llxprt-code#114).
 */
const UNASKED = /^https?:\/\/[\w.-]+\.mistral\.ai(?:[:/]|$)/i;

type FactsThere = { readonly known?: RequestFacts | undefined; readonly get: () => Promise<RequestFacts> };

/**
 * The same request, asked for its usage too; undefined where that is not needed or cannot be done. Only Chat Completions streams tell none
 * unless they are asked. Every other byte of the body stays as it came. `base`: of the target, where it has a URL.
 */
export async function askedForUsage(exchange: Identified, facts: FactsThere, base: string | undefined): Promise<Identified | undefined> {
  if (base !== undefined && UNASKED.test(base)) return undefined;
  const { stream, usageInStream } = facts.known ?? (await facts.get());
  if (exchange.dialect !== "chat" || !stream || usageInStream) return undefined;
  const body = await exchange.body.whole(REQUEST_INSPECT_BYTES_MAX);
  return body === undefined ? undefined : withUsageAsked(exchange, body);
}

function withUsageAsked(exchange: Identified, body: Uint8Array): Identified | undefined {
  if ((headerValue(exchange.headers, "content-encoding") ?? "identity") !== "identity") return undefined;
  if (exchange.headers.some(([name]) => OF_ITS_BYTES.has(name.toLowerCase()))) return undefined;
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
