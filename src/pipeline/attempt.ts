import type { Body, ForwardFailure, ForwardRequest, Identified, OpenResponse, RequestFacts, WireScript } from "../core/exchange.ts";
import { endToEndHeaders, headerValue, withHeader } from "../core/headers.ts";
import type { Ports, Target } from "../core/ports.ts";
import { PROVIDERS } from "../providers/index.ts";
import { belowApiRoot } from "../translate/endpoints.ts";
import { answerFromSettings } from "./helpers/answer-from-settings.ts";
import { discard } from "./helpers/bodies.ts";
import { dated } from "./helpers/dated.ts";
import { deadlineOf } from "./helpers/deadline.ts";
import { ownError } from "./helpers/own-error.ts";
import { plainBody } from "./helpers/read-facts.ts";
import { asksForWebSocket } from "./helpers/websocket.ts";
import type { WireFaults } from "./wire-faults.ts";

/** No provider takes as much for inference; what is larger is no JSON to the built-in one. */
const SIMULATED_BODY_BYTES_MAX = 256 * 1024 * 1024;

/** `client_gone`: nobody is left to send a response to. */
export type Attempted = { readonly response: OpenResponse; readonly error: string | undefined } | "client_gone";

type UrlTarget = Target & { readonly kind: "url" };

const NO_LIMIT = 0;

const OUT_OF_TIME: ReadonlySet<ForwardFailure["reason"]> = new Set(["upstream_timeout", "time_budget"]);

/** What a target gave, or why it gave nothing. */
export type Answer = OpenResponse | ForwardFailure;

/**
 * Sends the exchange to its target. `plain` asks for an answer without content coding, for faults that must see frames and for the gateway
 * that reads usage; it is the one change that a request meets for their sake. `budgetMs` is what is left of the time that the request allows.
 */
export function attempt(
  exchange: Identified,
  plain: boolean,
  facts: { readonly get: () => Promise<RequestFacts> },
  ports: Ports,
  budgetMs?: number,
): Promise<Answer> {
  const target = ports.targets[exchange.provider];
  const known = target.kind === "missing" ? undefined : answerFromSettings(exchange, target, ports);
  if (known !== undefined) return Promise.resolve(dated(known, ports.clock.wallMs()));
  switch (target.kind) {
    case "missing": {
      const { title } = PROVIDERS[exchange.provider];
      const detail = `no host is set for ${title}: set ${target.variable}=https://… (or --upstream ${exchange.provider}=URL) and start again`;
      return Promise.resolve({ kind: "failure", reason: "no_upstream", detail });
    }
    case "simulated":
      return simulated(exchange, facts, ports);
    case "url": {
      const body = exchange.body.forward();
      return body instanceof Promise
        ? forwardLater(exchange, target, body, plain, ports, budgetMs)
        : forward(exchange, target, body, plain, ports, budgetMs);
    }
  }
}

async function forwardLater(
  exchange: Identified,
  target: UrlTarget,
  body: Promise<Body>,
  plain: boolean,
  ports: Ports,
  budgetMs: number | undefined,
): Promise<Answer> {
  return forward(exchange, target, await body, plain, ports, budgetMs);
}

async function simulated(exchange: Identified, facts: { readonly get: () => Promise<RequestFacts> }, ports: Ports): Promise<OpenResponse> {
  const known = await facts.get();
  const bytes = (await plainBody(exchange, SIMULATED_BODY_BYTES_MAX, ports)) ?? new Uint8Array();
  return dated(await ports.simulate(exchange, known, bytes), ports.clock.wallMs());
}

function forward(
  exchange: Identified,
  target: UrlTarget,
  body: Body,
  plain: boolean,
  ports: Ports,
  budgetMs: number | undefined,
): Promise<Answer> {
  const { base, identity, proxy, timeoutMs = NO_LIMIT, isBackend } = target;
  const tls = identity?.();
  if (tls !== undefined && "kind" in tls) return Promise.resolve(tls);
  const headers = endToEndHeaders(exchange.headers);
  const request: ForwardRequest = {
    method: exchange.method,
    base,
    target: isBackend === true ? belowApiRoot(exchange.upstreamTarget) : exchange.upstreamTarget,
    headers: plain ? withHeader(headers, "accept-encoding", "identity") : headers,
    body,
    signal: exchange.clientGone,
    interim: exchange.interim,
    upgrade: upgradeOf(exchange),
    tls,
    proxy,
  };
  const limit = limitOf(timeoutMs, budgetMs);
  return limit === undefined ? ports.forward(request) : forwardWithin(limit, request, ports);
}

/** How long a target may take to begin its response, and what it comes to if it does not. */
type AttemptLimit = { readonly ms: number; readonly failure: (host: string) => ForwardFailure };

/** The shorter of the target's own time and what the request allows; undefined: it may take as long as it likes. */
function limitOf(timeoutMs: number, budgetMs: number | undefined): AttemptLimit | undefined {
  if (budgetMs !== undefined && (timeoutMs === NO_LIMIT || budgetMs < timeoutMs)) {
    return {
      ms: Math.max(0, budgetMs),
      failure: (host) => {
        const detail = `${host} did not begin its response within the time that the request allows (x-llm-proxy-timeout-ms)`;
        return { kind: "failure", reason: "time_budget", detail };
      },
    };
  }
  if (timeoutMs === NO_LIMIT) return undefined;
  return {
    ms: timeoutMs,
    failure: (host) => {
      const detail = `${host} did not begin its response within ${timeoutMs / 1_000} s (timeout in its settings)`;
      return { kind: "failure", reason: "upstream_timeout", detail };
    },
  };
}

/** The limit holds until the head of the response; what follows may take its time. */
async function forwardWithin({ ms, failure }: AttemptLimit, request: ForwardRequest, ports: Ports): Promise<Answer> {
  const deadline = deadlineOf(request.signal, ms, ports.clock);
  const answer = await ports.forward({ ...request, signal: deadline.signal }).finally(deadline.stop);
  if (!deadline.isOver()) return answer;
  if (!("kind" in answer)) discard(answer);
  return failure(new URL(request.base).host);
}

/** The answer as the client may see it: a response without hop-by-hop fields, or our own error in its place. */
export function attempted(exchange: Identified, answer: Answer, ports: Ports): Attempted {
  if ("kind" in answer) {
    const { reason, detail } = answer;
    if (reason === "client_gone") return "client_gone";
    const status = reason === "request_too_large" ? 413 : OUT_OF_TIME.has(reason) ? 504 : 502;
    const response = ownError(exchange.errorsAs ?? exchange.provider, status, reason, detail);
    return { response: dated(response, ports.clock.wallMs()), error: reason };
  }
  const headers = endToEndHeaders(answer.headers);
  // A 101 is about this connection: its `Upgrade` says what the two sides speak now.
  const isUnchanged = headers === answer.headers || answer.status === 101;
  return { response: isUnchanged ? answer : { ...answer, headers }, error: undefined };
}

/** WebSocket is the one protocol that is gone over to; a request for another is answered in HTTP. */
function upgradeOf(exchange: Identified): string | undefined {
  return exchange.canUpgrade && asksForWebSocket(exchange) ? headerValue(exchange.headers, "upgrade") : undefined;
}

/** What bytes in place of a target's come to. */
export async function reread(exchange: Identified, script: WireScript, ports: Ports): Promise<Answer> {
  if (ports.wire === undefined) throw new Error("a wire fault without raw sockets");
  return ports.wire.reread(script, exchange.method, exchange.clientGone);
}

/** What the wire faults leave of a response. Our own error is no target's answer, and a tunnel is no response that could be damaged. */
export function damagedOnWire(
  { response, error }: Exclude<Attempted, string>,
  { script }: Pick<WireFaults, "script">,
  exchange: Identified,
  ports: Ports,
): Promise<Answer> | undefined {
  if (ports.wire === undefined || error !== undefined || response.tunnel !== undefined) return undefined;
  const cancel = () => discard(response);
  return reread(exchange, { ...script(ports.wire.pieces(response, exchange.method)), cancel }, ports);
}

export const GONE: ForwardFailure = { kind: "failure", reason: "client_gone", detail: "the client has gone" };

/** A target that says nothing: until its time, or the request's, is over. */
export async function silence(exchange: Identified, budgetMs: number | undefined, ports: Ports): Promise<Answer | "hang"> {
  const target = ports.targets[exchange.provider];
  const limit = limitOf(target.kind === "missing" ? NO_LIMIT : (target.timeoutMs ?? NO_LIMIT), budgetMs);
  if (limit === undefined) return "hang";
  await ports.clock.sleep(limit.ms, exchange.clientGone);
  return exchange.clientGone.aborted ? GONE : limit.failure(target.kind === "url" ? new URL(target.base).host : "the target");
}
