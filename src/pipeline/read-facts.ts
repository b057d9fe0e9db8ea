import type { Identified, RequestFacts } from "../core/exchange.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../core/limits.ts";
import { DIALECTS } from "../dialects/index.ts";
import { factsFromPath } from "../dialects/shared.ts";

export const NO_FACTS: RequestFacts = factsFromPath(undefined, false, false);

const decoder = new TextDecoder();

/** Parses the body once, for whoever asks first; a body that cannot be read or is not JSON has no facts. */
export async function readFacts(exchange: Identified): Promise<RequestFacts> {
  if (exchange.dialect === undefined) return NO_FACTS;
  const bytes = await exchange.body.whole(REQUEST_INSPECT_BYTES_MAX);
  return DIALECTS[exchange.dialect].facts(exchange.path, queryOf(exchange), bytes === undefined ? undefined : parseJson(bytes));
}

/** The query of the request, without its question mark. */
export function queryOf({ path, upstreamTarget }: Identified): string {
  return upstreamTarget.slice(path.length + 1);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}
