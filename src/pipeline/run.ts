import { BodyCut, type Delivery, type Identified, type Received, type RequestFacts } from "../core/exchange.ts";
import { headerValue } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { attempt } from "./attempt.ts";
import { needsPlainAnswer, withBodyFaults } from "./body-faults.ts";
import { type Decided, decide, needsFacts } from "./decide.ts";
import { ownError } from "./helpers/own-error.ts";
import { NO_FACTS, readFacts } from "./helpers/read-facts.ts";
import { identify } from "./identify.ts";
import { performBefore } from "./perform-before.ts";
import { actionsBefore, plannedOf } from "./planned.ts";
import { abandoned, delivered, NOTHING_NOTED, type Notes, recordDecisions, undelivered } from "./record.ts";

type Facts = () => Promise<RequestFacts>;

/** The way of an exchange through all stages. The engine calls it with each request and delivers what it gives. */
export function createPipeline(ports: Ports): (received: Received) => Promise<Delivery> {
  return async (received) => {
    const exchange = identify(received, ports.defaultProvider, ports.clock.monotonicMs());
    try {
      return await answered(exchange, ports);
    } catch (error) {
      // The rest of an upload never came.
      if (error instanceof BodyCut || exchange.clientGone.aborted) return abandoned(exchange, NOTHING_NOTED, ports);
      const message = `a mistake in faultproxy itself (${error instanceof Error ? error.name : typeof error}); please report it`;
      return ownErrorDelivery(exchange, 500, "internal_error", message, NOTHING_NOTED, ports);
    }
  };
}

async function answered(exchange: Identified, ports: Ports): Promise<Delivery> {
  if (isWebSocket(exchange)) {
    const message = "WebSocket connections are not passed through; use HTTP";
    return ownErrorDelivery(exchange, 501, "websocket_unsupported", message, NOTHING_NOTED, ports);
  }
  const facts = once(() => readFacts(exchange, ports));
  const { mode, added } = ports.rules.get();
  if (mode !== undefined || added.length > 0) {
    const decided = await decideNow(exchange, facts, ports);
    if (decided.planned.length > 0) return faulted(exchange, decided, facts, ports);
  }
  const attempted = await attempt(exchange, false, facts, ports);
  if (attempted === "client_gone") return abandoned(exchange, NOTHING_NOTED, ports);
  const { response, error } = attempted;
  return delivered(exchange, response, error === undefined ? NOTHING_NOTED : { ...NOTHING_NOTED, error }, ports);
}

/** An exchange that meets at least one fault. */
async function faulted(exchange: Identified, { planned, decisions }: Decided, facts: Facts, ports: Ports): Promise<Delivery> {
  const known = await facts();
  const faults = planned.map((plan) => plannedOf(plan, exchange, known, ports));
  const notes: Notes = {
    ...NOTHING_NOTED,
    model: known.model,
    faults: decisions.filter(({ injected }) => injected).map(({ rule }) => rule.fault),
  };

  const before = await performBefore(actionsBefore(faults), ports.clock, exchange.clientGone);
  if (before === "hang") return undelivered(exchange, before, notes, ports);
  if (before === "reset" || before === "close") {
    const isUpstream = faults.some(({ rule, fault }) => fault.terminal && rule.side === "upstream");
    if (!isUpstream) return undelivered(exchange, before, notes, ports);
    const message = "the upstream closed the connection before it had answered";
    return ownErrorDelivery(exchange, 502, "upstream_closed_early", message, notes, ports);
  }
  if (exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
  const attempted =
    before === undefined ? await attempt(exchange, needsPlainAnswer(faults), facts, ports) : { response: before, error: undefined };
  if (attempted === "client_gone") return abandoned(exchange, notes, ports);
  const { response, error } = attempted;
  const worked = withBodyFaults(response, faults, exchange, ports);
  return delivered(exchange, worked.response, { ...notes, skipped: worked.skipped, error }, ports);
}

/** Asks the rules. Reading the value, deciding and writing it back happen without a pause between them. */
async function decideNow(exchange: Identified, facts: Facts, ports: Ports): Promise<Decided> {
  const now = ports.clock.monotonicMs();
  const known = needsFacts(exchange, ports.rules.get(), now) ? await facts() : NO_FACTS;
  const rules = ports.rules.get();
  const decided = decide(exchange, known, rules, ports.seed, now);
  if (decided.rules !== rules) ports.rules.set(decided.rules);
  recordDecisions(exchange, known.model, decided.decisions, ports);
  return decided;
}

function ownErrorDelivery(exchange: Identified, status: number, reason: string, message: string, notes: Notes, ports: Ports): Delivery {
  return delivered(exchange, ownError(exchange.provider, status, reason, message), { ...notes, error: reason }, ports);
}

function isWebSocket({ headers }: Identified): boolean {
  return headerValue(headers, "upgrade")?.toLowerCase() === "websocket";
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
