import type { Identified, RequestFacts } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { DIALECTS } from "../../dialects/index.ts";
import { factsFromPath } from "../../dialects/shared.ts";

export const NO_FACTS: RequestFacts = factsFromPath(undefined, false, false);

const decoder = new TextDecoder();

/** Parses the body once, for whoever asks first; a body that cannot be read or is not JSON has no facts. */
export async function readFacts(exchange: Identified, ports: Ports): Promise<RequestFacts> {
  if (exchange.dialect === undefined) return NO_FACTS;
  return factsOf(exchange, await exchange.body.whole(REQUEST_INSPECT_BYTES_MAX), ports);
}

/** The same of a body that is there. */
export function factsOf(exchange: Identified, bytes: Uint8Array | undefined, ports: Ports): RequestFacts {
  if (exchange.dialect === undefined) return NO_FACTS;
  const coding = headerValue(exchange.headers, "content-encoding") ?? "identity";
  const plain = bytes === undefined || coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, REQUEST_INSPECT_BYTES_MAX);
  return DIALECTS[exchange.dialect].facts(exchange.path, exchange.query, plain === undefined ? undefined : parseJson(plain));
}

/** The request body without its content coding; what goes to a target keeps it. Undefined where it is too large or broken. */
export async function plainBody(exchange: Identified, bytesMax: number, ports: Ports): Promise<Uint8Array | undefined> {
  const bytes = await exchange.body.whole(bytesMax);
  const coding = headerValue(exchange.headers, "content-encoding") ?? "identity";
  return bytes === undefined || coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, bytesMax);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}
