import type { ForwardFailure, Identified, OpenResponse, RequestFacts, WireScript } from "../core/exchange.ts";
import { endToEndHeaders, headerValue, withHeader } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { PROVIDERS } from "../providers/index.ts";
import { ownError } from "./helpers/own-error.ts";
import { plainBody } from "./helpers/read-facts.ts";

/** No provider takes as much for inference; what is larger is no JSON to the built-in one. */
const SIMULATED_BODY_BYTES_MAX = 256 * 1024 * 1024;

/** `client_gone`: nobody is left to send a response to. */
export type Attempted = { readonly response: OpenResponse; readonly error: string | undefined } | "client_gone";

/**
 * Sends the exchange to its target. `plain` asks for an answer without content coding, for faults that must see frames;
 * it is the one change that a forwarded request ever meets.
 */
export async function attempt(exchange: Identified, plain: boolean, facts: () => Promise<RequestFacts>, ports: Ports): Promise<Attempted> {
  const target = ports.targets[exchange.provider];
  switch (target.kind) {
    case "missing": {
      const { title } = PROVIDERS[exchange.provider];
      const message = `no host is set for ${title}: set ${target.variable}=https://… (or --upstream ${exchange.provider}=URL) and start again`;
      return failed(exchange, 502, "no_upstream", message);
    }
    case "simulated": {
      const known = await facts();
      const bytes = (await plainBody(exchange, SIMULATED_BODY_BYTES_MAX, ports)) ?? new Uint8Array();
      return { response: await ports.simulate(exchange, known, bytes), error: undefined };
    }
    case "url": {
      const headers = endToEndHeaders(exchange.headers);
      const body = exchange.body.forward();
      const answer = await ports.forward({
        method: exchange.method,
        base: target.base,
        target: exchange.upstreamTarget,
        headers: plain ? withHeader(headers, "accept-encoding", "identity") : headers,
        body: body instanceof Promise ? await body : body,
        signal: exchange.clientGone,
        interim: exchange.interim && ((interim) => exchange.interim?.({ ...interim, headers: endToEndHeaders(interim.headers) })),
        upgrade: upgradeOf(exchange),
        tls: target.tls,
      });
      if (isFailure(answer)) return failure(exchange, answer);
      // A 101 is about this connection: its `Upgrade` says what the two sides speak now.
      if (answer.status === 101) return { response: answer, error: undefined };
      return { response: { ...answer, headers: endToEndHeaders(answer.headers) }, error: undefined };
    }
  }
}

/** WebSocket is the one protocol that is gone over to; a request for another is answered in HTTP. */
export function upgradeOf({ headers, canUpgrade }: Identified): string | undefined {
  const upgrade = headerValue(headers, "upgrade");
  return canUpgrade && upgrade?.toLowerCase() === "websocket" ? upgrade : undefined;
}

/** What bytes in place of a target's come to. */
export async function reread(exchange: Identified, script: WireScript, ports: Ports): Promise<Attempted> {
  if (ports.wire === undefined) throw new Error("a wire fault without raw sockets");
  const answer = await ports.wire.reread(script, exchange.method, exchange.clientGone);
  return isFailure(answer) ? failure(exchange, answer) : { response: answer, error: undefined };
}

function failure(exchange: Identified, { reason, detail }: ForwardFailure): Attempted {
  if (reason === "client_gone") return "client_gone";
  return failed(exchange, reason === "upstream_timeout" ? 504 : 502, reason, detail);
}

function isFailure(answer: OpenResponse | ForwardFailure): answer is ForwardFailure {
  return "kind" in answer;
}

function failed(exchange: Identified, status: number, reason: string, message: string): Attempted {
  return { response: ownError(exchange.provider, status, reason, message), error: reason };
}
