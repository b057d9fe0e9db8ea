import type { ForwardFailure, Identified, OpenResponse, RequestFacts } from "../core/exchange.ts";
import { endToEndHeaders, type HeaderList, withHeader } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { PROVIDERS } from "../providers/index.ts";
import { ownError } from "./helpers/own-error.ts";
import { plainBody } from "./helpers/read-facts.ts";

/** `host` is the target's; `expect` was answered by the engine when it read the body. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(["host", "expect"]);
const NONE: ReadonlySet<string> = new Set();
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
      const headers = endToEndHeaders(exchange.headers, NOT_FORWARDED);
      const answer = await ports.forward({
        method: exchange.method,
        base: target.base,
        target: exchange.upstreamTarget,
        headers: plain ? withHeader(headers, "accept-encoding", "identity") : headers,
        body: await exchange.body.forward(),
        signal: exchange.clientGone,
      });
      if (isFailure(answer) && answer.reason === "client_gone") return "client_gone";
      if (isFailure(answer)) return failed(exchange, answer.reason === "upstream_timeout" ? 504 : 502, answer.reason, answer.detail);
      return { response: { ...answer, headers: endToEnd(answer.headers) }, error: undefined };
    }
  }
}

function endToEnd(headers: HeaderList): HeaderList {
  return endToEndHeaders(headers, NONE);
}

function isFailure(answer: OpenResponse | ForwardFailure): answer is ForwardFailure {
  return "kind" in answer;
}

function failed(exchange: Identified, status: number, reason: string, message: string): Attempted {
  return { response: ownError(exchange.provider, status, reason, message), error: reason };
}
