import type { Body, Chunks, Delivery, Identified, OpenResponse, Received, RequestFacts } from "../core/exchange.ts";
import type { Action, FaultContext } from "../core/fault.ts";
import type { Framing } from "../core/frame.ts";
import { headerValue, withoutHeaders } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { randomStream } from "../core/random.ts";
import { DIALECTS } from "../dialects/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import { WHOLE } from "../stream/whole.ts";
import { attempt } from "./attempt.ts";
import { type Decided, decide, needsFacts, type PlannedFault } from "./decide.ts";
import { errorContext } from "./error-context.ts";
import { AS_CHUNKS, faultedBody } from "./frame-fault.ts";
import { identify } from "./identify.ts";
import { ownError } from "./own-error.ts";
import { performBefore } from "./perform-before.ts";
import { NO_FACTS, readFacts } from "./read-facts.ts";
import { recorder } from "./record.ts";

const NOTHING_PLANNED: Pick<Decided, "planned" | "decisions"> = { planned: [], decisions: [] };
const CONTENT_LENGTH: ReadonlySet<string> = new Set(["content-length"]);

/** The way of an exchange through all stages. The engine calls it with each request and delivers what it gives. */
export function createPipeline(ports: Ports): (received: Received) => Promise<Delivery> {
  return async (received) => {
    const exchange = identify(received, ports.defaultProvider);
    let facts: Promise<RequestFacts> | undefined;
    const readOnce = () => {
      facts ??= readFacts(exchange);
      return facts;
    };

    const record = recorder(exchange, ports);
    if (headerValue(exchange.headers, "upgrade") !== undefined && /websocket/i.test(headerValue(exchange.headers, "upgrade") ?? "")) {
      const refusal = ownError(exchange.provider, 501, "websocket_unsupported", "WebSocket connections are not passed through; use HTTP");
      return record.deliver(refusal, "websocket_unsupported");
    }

    const { planned, decisions } = await decideNow(exchange, readOnce, ports);
    const known = planned.length > 0 ? await readOnce() : NO_FACTS;
    record.decided(decisions, facts === undefined ? undefined : await facts);

    const contexts = planned.map((plan) => contextOf(plan, exchange, known, ports));
    const actions = actionsBefore(contexts);
    const before = await performBefore(actions, ports.clock, exchange.clientGone);
    const upstreamSide = contexts.some(({ plan }) => plan.fault.terminal && plan.rule.side === "upstream");
    if (before === "hang") return record.without(before);
    if (before === "reset" || before === "close") {
      if (!upstreamSide) return record.without(before);
      const message = "the upstream closed the connection before it answered";
      return record.deliver(ownError(exchange.provider, 502, "upstream_closed_early", message), "upstream_closed_early");
    }
    const bodyFaults = contexts.filter(({ plan }) => plan.fault.acts === "body");
    const plain = bodyFaults.some(({ plan }) => plan.fault.acts === "body" && plan.fault.over !== "chunks");
    const attempted = before === undefined ? await attempt(exchange, plain, readOnce, ports) : { response: before, error: undefined };
    const response = withBodyFaults(attempted.response, bodyFaults, exchange, record.skipped, ports);
    return record.deliver(response, attempted.error);
  };
}

/** Asks the rules. Reading the value, deciding and writing it back happen without a pause between them. */
async function decideNow(exchange: Identified, facts: () => Promise<RequestFacts>, ports: Ports): Promise<Pick<Decided, "planned" | "decisions">> {
  const now = ports.clock.monotonicMs();
  const atStart = ports.rules.get();
  if (atStart.mode === undefined && atStart.added.length === 0) return NOTHING_PLANNED;
  const known = needsFacts(exchange, atStart, now) ? await facts() : NO_FACTS;
  const current = ports.rules.get();
  const decided = decide(exchange, known, current, ports.seed, now);
  if (decided.rules !== current) ports.rules.set(decided.rules);
  return decided;
}

type Planned = { readonly plan: PlannedFault; readonly context: FaultContext };

function contextOf(plan: PlannedFault, exchange: Identified, facts: RequestFacts, ports: Ports): Planned {
  const { rule, random } = plan;
  return {
    plan,
    context: {
      exchange,
      provider: PROVIDERS[exchange.provider],
      dialect: exchange.dialect && DIALECTS[exchange.dialect],
      facts,
      // Texts draw from a stream of their own, so that a longer text does not shift the draws that decide.
      errorContext: errorContext(exchange, facts, randomStream(ports.seed, `text/${rule.id}/${rule.generation}/${rule.matched}`), ports.clock.wallMs()),
      parameters: rule.parameters,
      random,
    },
  };
}

/** Delays first, whatever the order of the rules: they add up, also before an answer that a rule before them gives. */
function actionsBefore(faults: readonly Planned[]): readonly Action[] {
  const of = (terminal: boolean) =>
    faults.flatMap(({ plan, context }) => (plan.fault.acts === "before" && plan.fault.terminal === terminal ? plan.fault.plan(context) : []));
  return [...of(false), ...of(true)];
}

/** Puts the planned body faults around the answer's body, where that answer is one that they can act on. */
function withBodyFaults(
  response: OpenResponse,
  faults: readonly Planned[],
  exchange: Identified,
  skipped: (fault: string, why: string) => void,
  ports: Ports,
): OpenResponse {
  let { body } = response;
  let headers = response.headers;
  for (const over of ["frames", "answer", "chunks"] as const) {
    const group = faults.flatMap(({ plan, context }) => (plan.fault.acts === "body" && plan.fault.over === over ? [{ fault: plan.fault, context }] : []));
    if (group.length === 0 || body === null) continue;
    const framing = over === "chunks" ? AS_CHUNKS : framingOf(response, exchange, over);
    if (typeof framing === "string") {
      for (const { fault } of group) skipped(fault.name, framing);
      continue;
    }
    const running = group.map(({ fault, context }) => fault.start(context, framing));
    body = faultedBody(asChunks(body), framing, running, ports.clock, exchange.clientGone);
    if (over !== "chunks") headers = withoutHeaders(headers, CONTENT_LENGTH);
  }
  return body === response.body ? response : { ...response, headers, body };
}

/** The framing of an answer whose frames can be worked on, or why there is none. */
function framingOf(response: OpenResponse, exchange: Identified, over: "frames" | "answer"): Framing | string {
  if (response.status !== 200 || exchange.dialect === undefined) return `the target answered ${response.status}`;
  const coding = headerValue(response.headers, "content-encoding") ?? "identity";
  if (coding !== "identity") return `the target answered with content-encoding ${coding}`;
  const queryAt = exchange.upstreamTarget.indexOf("?");
  const framing = DIALECTS[exchange.dialect].framing(exchange.path, queryAt < 0 ? "" : exchange.upstreamTarget.slice(queryAt + 1));
  const type = (headerValue(response.headers, "content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === framing.contentType.split(";")[0]) return framing;
  return over === "answer" ? WHOLE : `the target answered with ${type || "no content type"}, not a stream`;
}

function asChunks(body: Exclude<Body, null>): Chunks {
  if (!(body instanceof Uint8Array)) return body;
  let rest: Uint8Array | undefined = body;
  return {
    async read() {
      const chunk = rest;
      rest = undefined;
      return chunk;
    },
    cancel() {},
  };
}
