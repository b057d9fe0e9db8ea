import { BodyCut, type Delivery, type Identified, type Received, type RequestFacts } from "../core/exchange.ts";
import type { Ports } from "../core/ports.ts";
import { type Attempted, attempt, attempted, reread } from "./attempt.ts";
import { needsPlainAnswer, withBodyFaults } from "./body-faults.ts";
import { type Decided, decide, needsFacts } from "./decide.ts";
import { dated } from "./helpers/dated.ts";
import { ownError } from "./helpers/own-error.ts";
import { NO_FACTS, readFacts } from "./helpers/read-facts.ts";
import { asksForWebSocket } from "./helpers/websocket.ts";
import { scriptOf } from "./helpers/wire-script.ts";
import { identify } from "./identify.ts";
import { performBefore } from "./perform-before.ts";
import { actionsBefore, plannedOf } from "./planned.ts";
import { abandoned, delivered, NOTHING_NOTED, type Notes, recordDecisions, scripted, undelivered } from "./record.ts";
import { adaptationOf, type Refused, type TargetSide, targetSide } from "./translate.ts";
import { wireFaultsOf } from "./wire-faults.ts";

/** The way of an exchange through all stages. The engine calls it with each request and delivers what it gives. */
export function createPipeline(ports: Ports): (received: Received) => Promise<Delivery> {
  return (received) => answered(identify(received, ports.defaultProvider, ports.clock.monotonicMs()), ports);
}

async function answered(exchange: Identified, ports: Ports): Promise<Delivery> {
  try {
    if (asksForWebSocket(exchange.headers) && !(exchange.canUpgrade && ports.targets[exchange.provider].kind === "url")) {
      const message = exchange.canUpgrade
        ? "the built-in provider speaks no WebSocket; use HTTP"
        : "WebSocket connections are not passed through by --engine serve; use HTTP, or --engine wire";
      return ownErrorDelivery(exchange, 501, "websocket_unsupported", message, NOTHING_NOTED, ports);
    }
    const facts = new Facts(exchange, ports);
    const { mode, added } = ports.rules.get();
    if (mode !== undefined || added.length > 0) {
      const decided = await decideNow(exchange, facts, ports);
      if (decided.planned.length > 0) return await faulted(exchange, decided, facts, ports);
    }
    const adaptation = adaptationOf(exchange, ports);
    const outcome =
      adaptation === undefined
        ? attempted(exchange, await attempt(exchange, false, facts, ports), ports)
        : await toClient(await targetSide(exchange, adaptation, facts, ports), exchange, ports);
    if (outcome === "client_gone") return abandoned(exchange, NOTHING_NOTED, ports);
    const { response, error } = outcome;
    return delivered(exchange, response, error === undefined ? NOTHING_NOTED : { ...NOTHING_NOTED, error }, ports);
  } catch (error) {
    // The rest of an upload never came.
    if (error instanceof BodyCut || exchange.clientGone.aborted) return abandoned(exchange, NOTHING_NOTED, ports);
    const message = `a mistake in faultproxy itself (${error instanceof Error ? error.name : typeof error}); please report it`;
    return ownErrorDelivery(exchange, 500, "internal_error", message, NOTHING_NOTED, ports);
  }
}

/** An exchange that meets at least one fault. */
async function faulted(exchange: Identified, { planned, decisions }: Decided, facts: Facts, ports: Ports): Promise<Delivery> {
  const adaptation = adaptationOf(exchange, ports);
  const side = adaptation === undefined ? undefined : await targetSide(exchange, adaptation, facts, ports);
  const known = await facts.get();
  // A fault on the target's side works on what the target sees, and in its dialect.
  const target = side === undefined || "refusal" in side ? { exchange, facts } : side;
  const knownThere = await target.facts.get();
  const faults = planned.map((plan) =>
    plan.rule.side === "upstream" ? plannedOf(plan, target.exchange, knownThere, ports) : plannedOf(plan, exchange, known, ports),
  );
  const notes: Notes = {
    ...NOTHING_NOTED,
    model: known.model,
    faults: decisions.filter(({ injected }) => injected).map(({ rule }) => rule.fault),
  };

  const performing = { clock: ports.clock, gone: exchange.clientGone };
  const isUpstream = faults.some(({ rule, fault }) => fault.terminal && rule.side === "upstream");
  const before = await performBefore(actionsBefore(faults), ports.clock, exchange.clientGone);
  let outcome: Attempted;
  /** Is it the target's answer, or one in its place? */
  let isOfTarget = isUpstream || before === undefined;
  switch (before?.kind) {
    case "hang":
      return undelivered(exchange, "hang", notes, ports);
    case "reset":
    case "close": {
      if (!isUpstream) return undelivered(exchange, before.kind, notes, ports);
      const message = "the upstream closed the connection before it had answered";
      return ownErrorDelivery(exchange, 502, "upstream_closed_early", message, notes, ports);
    }
    case "bytes": {
      const script = scriptOf(before.actions, performing);
      if (!isUpstream) return scripted(exchange, script, notes, ports);
      outcome = attempted(exchange, await reread(exchange, script, ports), ports);
      break;
    }
    case "response":
      outcome = { response: dated(before.response, ports.clock.wallMs()), error: undefined };
      break;
    case undefined:
      if (exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
      if (side !== undefined && "refusal" in side) {
        outcome = { response: side.refusal, error: side.error };
        isOfTarget = false;
      } else outcome = await asked(side, exchange, needsPlainAnswer(faults), facts, ports);
  }
  if (outcome === "client_gone" || exchange.clientGone.aborted) return abandoned(exchange, notes, ports);

  const onTarget = wireFaultsOf(faults, "upstream", performing);
  // Our own error is no target's answer, and a tunnel is no response that could be damaged.
  if (onTarget !== undefined && ports.wire !== undefined && outcome.error === undefined && outcome.response.tunnel === undefined) {
    const { body } = outcome.response;
    const script = {
      ...onTarget.script(ports.wire.pieces(outcome.response, exchange.method)),
      cancel: () => {
        if (body !== null && !(body instanceof Uint8Array)) body.cancel();
      },
    };
    outcome = attempted(exchange, await reread(exchange, script, ports), ports);
    if (outcome === "client_gone") return abandoned(exchange, notes, ports);
  }
  const bySide = (wanted: "client" | "upstream") => faults.filter(({ rule }) => rule.side === wanted);
  const worked = withBodyFaults(outcome.response, bySide("upstream"), target.exchange, ports);
  const translates = isOfTarget && outcome.error === undefined && side !== undefined && !("refusal" in side);
  const { response, error } = translates ? await side.toClient(worked.response) : { ...outcome, response: worked.response };
  const seen = withBodyFaults(response, bySide("client"), exchange, ports);
  const onClient = wireFaultsOf(faults, "client", performing);
  const skipped = () => [...worked.skipped(), ...seen.skipped(), ...(onTarget?.skipped() ?? []), ...(onClient?.skipped() ?? [])];
  return delivered(exchange, seen.response, { ...notes, skipped, error }, ports, onClient?.script);
}

/** What the target says, as it says it. */
async function asked(side: TargetSide | undefined, exchange: Identified, plain: boolean, facts: Facts, ports: Ports): Promise<Attempted> {
  const as = side ?? { exchange, facts };
  return attempted(exchange, await attempt(as.exchange, plain, as.facts, ports), ports);
}

/** What the target says, as the client is to get it. */
async function toClient(side: TargetSide | Refused, exchange: Identified, ports: Ports): Promise<Attempted> {
  if ("refusal" in side) return { response: side.refusal, error: side.error };
  const answer = await attempt(side.exchange, false, side.facts, ports);
  const outcome = attempted(exchange, answer, ports);
  if (outcome === "client_gone" || outcome.error !== undefined) return outcome;
  return side.toClient(outcome.response);
}

/** Asks the rules. Reading the value, deciding and writing it back happen without a pause between them. */
async function decideNow(exchange: Identified, facts: Facts, ports: Ports): Promise<Decided> {
  const now = ports.clock.monotonicMs();
  const known = needsFacts(exchange, ports.rules.get(), now) ? await facts.get() : NO_FACTS;
  const rules = ports.rules.get();
  const decided = decide(exchange, known, rules, ports.seed, now);
  if (decided.rules !== rules) ports.rules.set(decided.rules);
  recordDecisions(exchange, known.model, decided.decisions, ports);
  return decided;
}

function ownErrorDelivery(exchange: Identified, status: number, reason: string, message: string, notes: Notes, ports: Ports): Delivery {
  const response = dated(ownError(exchange.provider, status, reason, message), ports.clock.wallMs());
  return delivered(exchange, response, { ...notes, error: reason }, ports);
}

/** What the request says, read when somebody asks for it first. */
class Facts {
  readonly #exchange: Identified;
  readonly #ports: Ports;
  #read: Promise<RequestFacts> | undefined;

  constructor(exchange: Identified, ports: Ports) {
    this.#exchange = exchange;
    this.#ports = ports;
  }

  get(): Promise<RequestFacts> {
    this.#read ??= readFacts(this.#exchange, this.#ports);
    return this.#read;
  }
}
