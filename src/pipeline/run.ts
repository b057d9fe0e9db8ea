import { BodyTooLarge } from "../core/body-too-large.ts";
import { BodyCut, type Delivery, type Identified, type OpenResponse, type Received, type RequestFacts } from "../core/exchange.ts";
import type { Cors, Gateway } from "../core/gateway.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../core/limits.ts";
import type { Ports } from "../core/ports.ts";
import type { Rule } from "../core/rule.ts";
import { DEGRADED_SIGNAL, degradedAnswer } from "../policy/degraded-answer.ts";
import { accessOf, type RefusedAccess } from "./access.ts";
import { type Admitted, admit } from "./admit.ts";
import { type Answer, type Attempted, attempt, attempted, damagedOnWire, GONE, reread, silence } from "./attempt.ts";
import { needsPlainAnswer, withBodyFaults } from "./body-faults.ts";
import { preflightAnswer, withCors } from "./cors.ts";
import { type Decided, decide, needsFacts, type PlannedFault } from "./decide.ts";
import { askedForUsage } from "./helpers/asked-usage.ts";
import { dated } from "./helpers/dated.ts";
import { Facts } from "./helpers/facts.ts";
import { ownError } from "./helpers/own-error.ts";
import { ownFieldsOf } from "./helpers/own-fields.ts";
import { factsOf, NO_FACTS } from "./helpers/read-facts.ts";
import { repeatableBody, withBody } from "./helpers/repeatable-body.ts";
import { TEST_MODES, testModeFault } from "./helpers/test-mode.ts";
import { withTokens } from "./helpers/told-tokens.ts";
import { asksForWebSocket } from "./helpers/websocket.ts";
import { scriptOf } from "./helpers/wire-script.ts";
import { identify } from "./identify.ts";
import { inspect } from "./inspect.ts";
import { pageOf } from "./pages.ts";
import { performBefore } from "./perform-before.ts";
import { type AskedOnce, persist } from "./persist.ts";
import { actionsBefore, plannedOf } from "./planned.ts";
import { abandoned, delivered, NOTHING_NOTED, type Notes, recordDecisions, scripted, undelivered } from "./record.ts";
import { adaptationOf, type Refused, type TargetSide, targetSide } from "./translate.ts";
import { wireFaultsOf } from "./wire-faults.ts";

/** The way of an exchange through all stages. The engine calls it with each request and delivers what it gives. */
export function createPipeline(ports: Ports): (received: Received) => Promise<Delivery> {
  const { gateway } = ports;
  return (received) => {
    const entered = accessOf(identify(received, ports.defaultProvider, ports.clock.monotonicMs()), ports);
    if (entered.kind === "refused") return turnedAway(entered, ports);
    return gateway === undefined ? answered(entered, ports) : throughGateway(entered, gateway, ports);
  };
}

/** A page that may read answers may read this one too. */
async function turnedAway({ exchange, response, error }: RefusedAccess, ports: Ports): Promise<Delivery> {
  const delivery = delivered(exchange, response, { ...NOTHING_NOTED, error }, ports);
  const cors = ports.gateway?.cors;
  return cors === undefined ? delivery : withCors(delivery, exchange, cors);
}

/** The gateway's own pages, and what browsers want around every answer. */
function throughGateway(exchange: Identified, gateway: Gateway, ports: Ports): Promise<Delivery> {
  const page = pageOf(exchange, gateway);
  if (page !== undefined) return paged(exchange, page, ports);
  const { cors } = gateway;
  return cors === undefined ? answered(exchange, ports) : answeredToPages(exchange, cors, ports);
}

async function paged(exchange: Identified, page: Promise<OpenResponse>, ports: Ports): Promise<Delivery> {
  return delivered(exchange, dated(await page, ports.clock.wallMs()), { ...NOTHING_NOTED, isPage: true }, ports);
}

async function answeredToPages(exchange: Identified, cors: Cors, ports: Ports): Promise<Delivery> {
  const preflight = preflightAnswer(exchange, cors);
  if (preflight !== undefined) return delivered(exchange, dated(preflight, ports.clock.wallMs()), NOTHING_NOTED, ports);
  return withCors(await answered(exchange, ports), exchange, cors);
}

function answered(received: Identified, ports: Ports): Promise<Delivery> {
  const { gateway } = ports;
  const isGoverned = gateway !== undefined && received.kind === "inference" && !asksForWebSocket(received);
  return isGoverned ? governed(received, gateway, ports) : ungoverned(received, ports);
}

async function ungoverned(received: Identified, ports: Ports): Promise<Delivery> {
  // What clients say to a gateway is for no target, whatever it is asked for.
  const exchange = ports.gateway === undefined ? received : ownFieldsOf(received).exchange;
  try {
    if (asksForWebSocket(received) && !(exchange.canUpgrade && ports.targets[exchange.provider].kind === "url")) {
      const message = exchange.canUpgrade
        ? "the built-in provider speaks no WebSocket; use HTTP"
        : "WebSocket connections are not passed through by --engine serve; use HTTP, or --engine wire";
      return ownErrorDelivery(exchange, 501, "websocket_unsupported", message, NOTHING_NOTED, ports);
    }
    const facts = new Facts(exchange, ports);
    const { mode, added } = ports.rules.get();
    if (mode !== undefined || added.length > 0) {
      const decided = await decideNow(exchange, facts, ports);
      if (decided.planned.length > 0) return await performed({ exchange, decided, facts }, ports);
    }
    const adaptation = adaptationOf(exchange, ports);
    const outcome =
      adaptation === undefined
        ? attempted(exchange, await attempt(exchange, false, facts, ports), ports)
        : await toClient(await targetSide(exchange, adaptation, facts, ports), exchange, ports);
    if (outcome === "client_gone" || exchange.clientGone.aborted) return abandoned(exchange, NOTHING_NOTED, ports);
    const { response, error } = outcome;
    return delivered(exchange, response, error === undefined ? NOTHING_NOTED : { ...NOTHING_NOTED, error }, ports);
  } catch (error) {
    return mishap(exchange, error, NOTHING_NOTED, ports);
  }
}

function mishap(exchange: Identified, error: unknown, notes: Notes, ports: Ports): Delivery {
  if (error instanceof BodyTooLarge) return ownErrorDelivery(exchange, 413, "request_too_large", error.detail, notes, ports);
  // The rest of an upload never came.
  if (error instanceof BodyCut || exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
  const message = `a mistake in faultproxy itself (${error instanceof Error ? error.name : typeof error}); please report it`;
  return ownErrorDelivery(exchange, 500, "internal_error", message, notes, ports);
}

const NO_PLAN: readonly PlannedFault[] = [];
const NOTHING_DECIDED: Planning = { planned: [], decisions: [] };

/** An inference request through limits, circuit and retries. */
async function governed(received: Identified, gateway: Gateway, ports: Ports): Promise<Delivery> {
  let notes = NOTHING_NOTED;
  try {
    const own = ownFieldsOf(received);
    if (own.budgetMs === "nonsense") {
      const message = "x-llm-proxy-timeout-ms must be a whole number of milliseconds above 0";
      return ownErrorDelivery(received, 400, "invalid_timeout", message, notes, ports);
    }
    const there = received.body.atHand ?? (await received.body.whole(REQUEST_INSPECT_BYTES_MAX));
    const { maxTransientRetries, maxRateLimitRetries, bodyBytesMax } = gateway.retry;
    const isRepeatable = maxTransientRetries + maxRateLimitRetries > 0 && there !== undefined && there.length <= bodyBytesMax;
    const exchange = isRepeatable ? withBody(own.exchange, repeatableBody(own.exchange.body, there)) : own.exchange;
    const known = factsOf(exchange, there, ports);
    const admitting = admit(exchange, known, there?.length ?? exchange.body.lengthBytes ?? REQUEST_INSPECT_BYTES_MAX, gateway, ports);
    const { governed: held, refusal, circuit } = admitting instanceof Promise ? await admitting : admitting;
    notes = { model: known.model, faults: NOTHING_NOTED.faults, skipped: NOTHING_NOTED.skipped, error: undefined, end: held.end };
    if (refusal !== undefined) return delivered(exchange, refusal, { ...notes, error: "rate_limited" }, ports);
    const untilMonotonicMs = own.budgetMs === undefined ? undefined : exchange.receivedMonotonicMs + own.budgetMs;
    const way: GovernedWay = { governed: held, circuit, isRepeatable, untilMonotonicMs };
    const facts = new Facts(exchange, ports, known);
    const planning = planOf(exchange, facts, way, own.testMode, ports);
    const planned = planning instanceof Promise ? await planning : planning;
    if (planned === "force_degraded") return degradedDelivery(exchange, gateway, notes, ports);
    const first = isShort(exchange, known, planned, way, ports) ? await firstAnswer(exchange, facts, way, ports) : undefined;
    if (first?.isGood === true) return delivered(exchange, withTokens(first.asked.response, held.observed), notes, ports);
    return await performed({ exchange, decided: planned, facts, way, first, end: notes.end }, ports);
  } catch (error) {
    return mishap(received, error, notes, ports);
  }
}

type Planning = Pick<Decided, "planned" | "decisions">;

/** The faults that it meets, those that the request itself asks for in test mode included. */
function planOf(
  exchange: Identified,
  facts: Facts,
  { governed: { gateway }, circuit }: GovernedWay,
  asked: string | undefined,
  ports: Ports,
): Planning | "force_degraded" | Promise<Planning> {
  const testMode = gateway.breaker?.testMode === true ? TEST_MODES.find((each) => each === asked) : undefined;
  if (testMode === "force_degraded") return testMode;
  const inTest = testMode === undefined ? undefined : testModeFault(testMode, ports.seed);
  const withTest = ({ planned, decisions }: Planning) => ({ planned: inTest === undefined ? planned : [inTest, ...planned], decisions });
  const { mode, added } = ports.rules.get();
  if (mode === undefined && added.length === 0) return withTest(NOTHING_DECIDED);
  // A target that is not asked can meet no fault.
  const side = circuit?.kind === "refused" && gateway.breaker?.mode === "enforce" ? "client" : undefined;
  return decideNow(exchange, facts, ports, side).then(withTest);
}

/** Nothing is in its way: no fault, no open circuit, no translation, no question of ours. */
function isShort(exchange: Identified, facts: RequestFacts, { planned }: Planning, { circuit }: GovernedWay, ports: Ports): boolean {
  const asksForUsage = facts.stream && exchange.dialect === "chat";
  return planned.length === 0 && circuit?.kind !== "refused" && !asksForUsage && adaptationOf(exchange, ports) === undefined;
}

/** What the target answered at first, and what that means where it has been looked at. */
type First = {
  readonly asked: Exclude<AskedOnce, string>;
  readonly meaning: ReturnType<typeof inspect> | undefined;
  readonly isGood: boolean;
};

/** Most targets answer well at once, and nothing else need be done then. What fails goes on from there. */
async function firstAnswer(exchange: Identified, facts: Facts, way: GovernedWay, ports: Ports): Promise<First | undefined> {
  const { governed: held } = way;
  const answer = await attempt(exchange, true, facts, ports, budgetOf(way, ports));
  const outcome = attempted(exchange, answer, ports);
  if (outcome === "client_gone" || exchange.clientGone.aborted) throw new BodyCut("reset");
  const forward = "kind" in answer ? answer : undefined;
  held.observed.attempts = 1;
  held.observed.wasReached = forward === undefined;
  const meaning = outcome.error === undefined ? inspect(outcome.response, exchange, false, held, ports) : undefined;
  const isGood = meaning !== undefined && !(meaning instanceof Promise) && meaning.failure === undefined && meaning.error === undefined;
  const response = isGood ? meaning.response : outcome.response;
  return { asked: { response, error: outcome.error, forward }, meaning, isGood };
}

/** As if its circuit were open: nobody is asked, and nothing is counted. */
function degradedDelivery(exchange: Identified, { breaker, retry }: Gateway, notes: Notes, ports: Ports): Delivery {
  const answer = degradedAnswer(exchange.provider, breaker?.degradedSignal ?? DEGRADED_SIGNAL, retry.transientDelayMs);
  return delivered(exchange, dated(answer, ports.clock.wallMs()), { ...notes, error: "provider_degraded" }, ports);
}

type GovernedWay = Pick<Admitted, "governed" | "circuit"> & {
  readonly isRepeatable: boolean;
  /** When the request's own time is over. */
  readonly untilMonotonicMs: number | undefined;
};

type Performing = {
  readonly exchange: Identified;
  readonly decided: Planning;
  readonly facts: Facts;
  /** Undefined where the gateway has no part in it. */
  readonly way?: GovernedWay;
  /** The target has been asked once. */
  readonly first?: First | undefined;
  readonly end?: Notes["end"];
};

/** An exchange that meets faults, or goes through the gateway, or both. */
async function performed({ exchange, decided, facts, way, first, end }: Performing, ports: Ports): Promise<Delivery> {
  const adaptation = adaptationOf(exchange, ports);
  const side = adaptation === undefined ? undefined : await targetSide(exchange, adaptation, facts, ports);
  const known = facts.known ?? (await facts.get());
  // Most requests through the gateway meet no fault.
  const { planned, decisions } = decided;
  const faults = planned.filter(({ rule }) => rule.side === "client").map((plan) => plannedOf(plan, exchange, known, ports));
  const upstream = planned.length === faults.length ? NO_PLAN : planned.filter(({ rule }) => rule.side === "upstream");
  const met = namesOf(decisions);
  const notes: Notes = {
    model: known.model,
    faults: met,
    skipped: NOTHING_NOTED.skipped,
    error: undefined,
    ...(end === undefined ? undefined : { end }),
  };
  const performing = { clock: ports.clock, gone: exchange.clientGone };
  const before = faults.length === 0 ? undefined : await performBefore(actionsBefore(faults), ports.clock, exchange.clientGone);
  let outcome: Attempted;
  let skippedThere = NOTHING_NOTED.skipped;
  switch (before?.kind) {
    case "hang":
    case "reset":
    case "close":
      return undelivered(exchange, before.kind, notes, ports);
    case "bytes":
      return scripted(exchange, scriptOf(before.actions, performing), notes, ports);
    case "response":
      outcome = { response: dated(before.response, ports.clock.wallMs()), error: undefined };
      break;
    case undefined: {
      if (exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
      if (side !== undefined && "refusal" in side) {
        outcome = { response: side.refusal, error: side.error };
        break;
      }
      const asking = { exchange, side, facts, upstream, plain: needsPlainAnswer(faults), way, first, met };
      const asked = await (way === undefined ? askOnce(asking, 1, ports) : askUntilAnswered(asking, way, ports));
      if (asked === "hang") return undelivered(exchange, "hang", notes, ports);
      if (asked === "client_gone") return abandoned(exchange, notes, ports);
      skippedThere = asked.skipped ?? skippedThere;
      outcome = asked.error === undefined && side !== undefined ? await side.toClient(asked.response) : asked;
      if (way !== undefined && asked.error === undefined)
        outcome = { ...outcome, response: withTokens(outcome.response, way.governed.observed) };
    }
  }
  if (exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
  if (faults.length === 0) return delivered(exchange, outcome.response, { ...notes, skipped: skippedThere, error: outcome.error }, ports);
  const seen = withBodyFaults(outcome.response, faults, exchange, ports);
  const onClient = wireFaultsOf(faults, "client", performing);
  const skipped = () => [...skippedThere(), ...seen.skipped(), ...(onClient?.skipped() ?? [])];
  return delivered(exchange, seen.response, { ...notes, skipped, error: outcome.error }, ports, onClient?.script);
}

type Asking = {
  readonly exchange: Identified;
  readonly side: TargetSide | undefined;
  readonly facts: Facts;
  /** Faults on the target's side, decided for the first asking. */
  readonly upstream: readonly PlannedFault[];
  /** A fault wants to see the answer's frames. */
  readonly plain: boolean;
  readonly way: GovernedWay | undefined;
  readonly first: First | undefined;
  /** Names of the faults that the exchange has met; those of further askings are put to it. */
  readonly met: string[];
};

type AskedWithFaults =
  | Exclude<AskedOnce, { forward: unknown }>
  | (Extract<AskedOnce, { forward: unknown }> & { readonly skipped?: Notes["skipped"] });

/** Through circuit and retries. The target's faults are decided anew for each asking after the first. */
async function askUntilAnswered(
  asking: Asking,
  way: GovernedWay,
  ports: Ports,
): Promise<Exclude<AskedOnce, object> | (Exclude<Attempted, string> & Partial<Pick<Notes, "skipped">>)> {
  const { exchange, side, facts } = asking;
  const { governed: held } = way;
  const target = side?.exchange ?? exchange;
  const asked = ports.targets[target.provider];
  const base = asked.kind === "url" ? asked.base : undefined;
  const ofUsage =
    held.gateway.includeUsage && facts.known?.stream !== false ? await askedForUsage(target, side?.facts ?? facts, base) : undefined;
  const as = ofUsage ?? target;
  const factsThere = ofUsage === undefined ? (side?.facts ?? facts) : new Facts(ofUsage, ports);
  const skipped: Notes["skipped"][] = [];
  const toClient = side?.toClient ?? ((response: OpenResponse) => ({ response, error: undefined }));
  const first: Asking = { ...asking, side: { exchange: as, facts: factsThere, toClient }, plain: true };
  const answered = await persist(
    {
      exchange,
      governed: held,
      circuit: way.circuit,
      isRepeatable: way.isRepeatable,
      budgetMs: () => budgetOf(way, ports),
      async ask(attemptNumber) {
        if (attemptNumber === 1 && first.first !== undefined) return first.first.asked;
        const asking = attemptNumber === 1 ? first : { ...first, upstream: await decideAgain(first, ports) };
        const asked = await askOnce(asking, attemptNumber, ports);
        if (typeof asked !== "string" && asked.skipped !== undefined) skipped.push(asked.skipped);
        return asked;
      },
      inspect: (response) =>
        (response === first.first?.asked.response ? first.first.meaning : undefined) ??
        inspect(response, as, ofUsage !== undefined, held, ports),
    },
    ports,
  );
  if (typeof answered === "string" || skipped.length === 0) return answered;
  return { ...answered, skipped: () => skipped.flatMap((each) => each()) };
}

async function decideAgain({ exchange, facts, met }: Asking, ports: Ports): Promise<readonly PlannedFault[]> {
  const { planned, decisions } = await decideNow(exchange, facts, ports, "upstream");
  met.push(...namesOf(decisions));
  return planned;
}

function namesOf(decisions: Decided["decisions"]): string[] {
  return decisions.filter(({ injected }) => injected).map(({ rule }) => rule.fault);
}

function budgetOf({ untilMonotonicMs }: Pick<GovernedWay, "untilMonotonicMs">, ports: Ports): number | undefined {
  return untilMonotonicMs === undefined ? undefined : untilMonotonicMs - ports.clock.monotonicMs();
}

/** Asks the target, which may meet faults of its own: they work on what it sees, and in its dialect. */
function askOnce(asking: Asking, attemptNumber: number, ports: Ports): Promise<AskedWithFaults> {
  const target = asking.side ?? { exchange: asking.exchange, facts: asking.facts };
  return asking.upstream.length === 0 ? askPlainly(asking, target, ports) : askWithFaults(asking, target, attemptNumber, ports);
}

async function askWithFaults(
  { exchange, upstream, way, ...asking }: Asking,
  target: Pick<TargetSide, "exchange" | "facts">,
  attemptNumber: number,
  ports: Ports,
): Promise<AskedWithFaults> {
  const known = await target.facts.get();
  const faults = upstream.map((plan) => plannedOf(plan, target.exchange, known, ports, attemptNumber));
  const performing = { clock: ports.clock, gone: exchange.clientGone };
  const budgetMs = way === undefined ? undefined : budgetOf(way, ports);
  const plain = asking.plain || needsPlainAnswer(faults);
  const before = await performBefore(actionsBefore(faults), ports.clock, exchange.clientGone);
  const answer = await (async (): Promise<Answer | "hang"> => {
    switch (before?.kind) {
      case "hang":
        return silence(exchange, budgetMs, ports);
      case "reset":
      case "close":
        return { kind: "failure", reason: "upstream_closed_early", detail: "the upstream closed the connection before it had answered" };
      case "bytes":
        return reread(exchange, scriptOf(before.actions, performing), ports);
      case "response":
        return dated(before.response, ports.clock.wallMs());
      case undefined:
        return exchange.clientGone.aborted ? GONE : attempt(target.exchange, plain, target.facts, ports, budgetMs);
    }
  })();
  if (answer === "hang") return "hang";
  const first = attempted(exchange, answer, ports);
  if (first === "client_gone" || exchange.clientGone.aborted) return "client_gone";
  const failed = "kind" in answer ? answer : undefined;
  const onTarget = wireFaultsOf(faults, "upstream", performing);
  const damaged = onTarget === undefined ? undefined : await damagedOnWire(first, onTarget, exchange, ports);
  const outcome = damaged === undefined ? first : attempted(exchange, damaged, ports);
  if (outcome === "client_gone") return "client_gone";
  const forward = damaged !== undefined && "kind" in damaged ? damaged : failed;
  const worked = withBodyFaults(outcome.response, faults, target.exchange, ports);
  const skipped = () => [...worked.skipped(), ...(onTarget?.skipped() ?? [])];
  return { response: worked.response, error: outcome.error, forward, skipped };
}

/** Without a fault on its way, as almost always. */
async function askPlainly(
  { exchange, plain, way }: Asking,
  target: Pick<TargetSide, "exchange" | "facts">,
  ports: Ports,
): Promise<AskedWithFaults> {
  const budgetMs = way === undefined ? undefined : budgetOf(way, ports);
  const answer = await attempt(target.exchange, plain, target.facts, ports, budgetMs);
  const outcome = attempted(exchange, answer, ports);
  if (outcome === "client_gone") return "client_gone";
  return { response: outcome.response, error: outcome.error, forward: "kind" in answer ? answer : undefined };
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
async function decideNow(exchange: Identified, facts: Facts, ports: Ports, side?: Rule["side"]): Promise<Decided> {
  const now = ports.clock.monotonicMs();
  const known = needsFacts(exchange, ports.rules.get(), now) ? await facts.get() : NO_FACTS;
  const rules = ports.rules.get();
  const decided = decide(exchange, known, rules, ports.seed, now, side);
  if (decided.rules !== rules) ports.rules.set(decided.rules);
  recordDecisions(exchange, known.model, decided.decisions, ports);
  return decided;
}

function ownErrorDelivery(exchange: Identified, status: number, reason: string, message: string, notes: Notes, ports: Ports): Delivery {
  const response = dated(ownError(exchange.provider, status, reason, message), ports.clock.wallMs());
  return delivered(exchange, response, { ...notes, error: reason }, ports);
}
