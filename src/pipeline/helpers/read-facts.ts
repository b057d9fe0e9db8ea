import type { AtHand, Identified, RequestFacts } from "../../core/exchange.ts";
import { type HeaderList, headerValue } from "../../core/headers.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { DIALECTS } from "../../dialects/index.ts";
import { factsFromPath, openaiUser, parseObject, textOf } from "../../dialects/shared.ts";

export const NO_FACTS: RequestFacts = factsFromPath(undefined, false, false);

const decoder = new TextDecoder();

/** Parses the body once, for whoever asks first; a body that cannot be read or is not JSON has no facts. */
export async function readFacts(exchange: Identified, ports: Ports): Promise<RequestFacts> {
  if (exchange.dialect === undefined) return NO_FACTS;
  return factsOf(exchange, await exchange.body.whole(REQUEST_INSPECT_BYTES_MAX), ports);
}

/** The same of a body that is there. */
export function factsOf(exchange: Identified, body: Uint8Array | AtHand | undefined, ports: Ports): RequestFacts {
  const text = body === undefined ? undefined : textIn(body, exchange.headers, REQUEST_INSPECT_BYTES_MAX, ports);
  if (exchange.dialect === undefined) return factsWithoutDialect(text);
  return DIALECTS[exchange.dialect].facts(exchange.path, exchange.query, text === undefined ? undefined : parseJson(text));
}

/** Completions of old, embeddings, images: whatever takes JSON names its model and its user as OpenAI does, and most of the rest is text. */
function factsWithoutDialect(text: string | undefined): RequestFacts {
  const json = text?.trimStart().startsWith("{") === true ? parseObject(text) : undefined;
  if (text === undefined || json === undefined) return NO_FACTS;
  return { ...NO_FACTS, model: textOf(json.model), user: openaiUser(json), stream: json.stream === true, inputCharacters: text.length };
}

const BYTE_ORDER_MARK = 0xfeff;

/** A body as text, without its content coding; undefined where that is broken, or more than `bytesMax` come out. */
export function textIn(body: Uint8Array | AtHand, headers: HeaderList, bytesMax: number, ports: Ports): string | undefined {
  const coding = headerValue(headers, "content-encoding") ?? "identity";
  if (coding === "identity" && !(body instanceof Uint8Array)) {
    const text = body.text();
    return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
  }
  const bytes = body instanceof Uint8Array ? body : body.bytes();
  const plain = coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, bytesMax);
  return plain === undefined ? undefined : decoder.decode(plain);
}

/** The request body without its content coding; what goes to a target keeps it. Undefined where it is too large or broken. */
export async function plainBody(exchange: Identified, bytesMax: number, ports: Ports): Promise<Uint8Array | undefined> {
  const bytes = await exchange.body.whole(bytesMax);
  const coding = headerValue(exchange.headers, "content-encoding") ?? "identity";
  return bytes === undefined || coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, bytesMax);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
