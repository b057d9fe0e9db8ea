import { BodyCut, type Identified, type OpenResponse } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import type { Route } from "../../core/route.ts";
import type { Admitted } from "../admit.ts";
import { type Answer, type Attempted, attempt, attempted, damagedOnWire, GONE, reread, silence } from "../attempt.ts";
import { needsPlainAnswer, withBodyFaults } from "../body-faults.ts";
import type { PlannedFault } from "../decide.ts";
import { askedForUsage } from "../helpers/asked-usage.ts";
import { discard } from "../helpers/bodies.ts";
import { dated } from "../helpers/dated.ts";
import { Facts } from "../helpers/facts.ts";
import { scriptOf } from "../helpers/wire-script.ts";
import { inspect } from "../inspect.ts";
import { performBefore } from "../perform-before.ts";
import { type AskedOnce, type Outcome, type Persisting, persist } from "../persist.ts";
import { actionsBefore, plannedOf } from "../planned.ts";
import type { Notes } from "../record.ts";
import type { FactsOnDemand, Refused, TargetSide } from "../translate.ts";
import { wireFaultsOf } from "../wire-faults.ts";
import { decideNow, namesOf } from "./decide-now.ts";

/** What goes with an exchange that the gateway has let in. */
export type GovernedWay = Pick<Admitted, "governed" | "circuit"> & {
  readonly isRepeatable: boolean;
  /** Has the body been read, or was it too large? */
  readonly isRead: boolean;
  /** When the request's own time is over. */
  readonly untilMonotonicMs: number | undefined;
  /** Undefined: its provider's one target. */
  readonly route: Route | undefined;
};

export type Asking = {
  readonly exchange: Identified;
  readonly side: TargetSide | undefined;
  readonly facts: FactsOnDemand;
  /** Faults on the target's side, decided for the first asking. */
  readonly upstream: readonly PlannedFault[];
  /** A fault wants to see the answer's frames. */
  readonly plain: boolean;
  readonly way: GovernedWay | undefined;
  readonly first: First | undefined;
  /** Names of the faults that the exchange has met; those of further askings are put to it. */
  readonly met: string[];
  /** Of a target that a route leads to. */
  readonly routed?: RoutedAsking;
};

export type RoutedAsking = Pick<Persisting, "target" | "retry" | "attemptsBefore" | "waitMsMax"> & {
  /** `askedMs`: when the target was asked, monotonic. */
  readonly inspect: (response: OpenResponse, as: Identified, addedUsage: boolean, askedMs: number) => ReturnType<typeof inspect>;
};

type AskedWithFaults =
  | Exclude<AskedOnce, { forward: unknown }>
  | (Extract<AskedOnce, { forward: unknown }> & { readonly skipped?: Notes["skipped"] });

/** Through circuit and retries. The target's faults are decided anew for each asking after the first. */
export async function askUntilAnswered(
  asking: Asking,
  way: GovernedWay,
  ports: Ports,
): Promise<Exclude<Outcome, object> | (Exclude<Outcome, string> & Partial<Pick<Notes, "skipped">>)> {
  const { exchange, side, facts, routed } = asking;
  const { governed: held } = way;
  const target = side?.exchange ?? exchange;
  const asked = ports.targets[target.provider];
  const base = asked.kind === "url" ? asked.base : undefined;
  const ofUsage =
    held.gateway.includeUsage && facts.known?.stream !== false ? await askedForUsage(target, side?.facts ?? facts, base) : undefined;
  const as = ofUsage ?? target;
  const factsThere = ofUsage === undefined ? (side?.facts ?? facts) : new Facts(ofUsage, ports);
  const skipped: Notes["skipped"][] = [];
  let askedMs = 0;
  const inspectHere: RoutedAsking["inspect"] = (response, seen, addedUsage) => inspect(response, seen, addedUsage, held, ports);
  const toClient = side?.toClient ?? ((response: OpenResponse) => ({ response, error: undefined }));
  const first: Asking = { ...asking, side: { exchange: as, facts: factsThere, toClient }, plain: true };
  // Rules aim at a route's target as that one is asked.
  const there = { exchange: target, facts: side?.facts ?? facts, met: asking.met };
  const answered = await persist(
    {
      exchange,
      governed: held,
      circuit: way.circuit,
      isRepeatable: way.isRepeatable,
      target: routed?.target,
      retry: routed?.retry ?? held.gateway.retry,
      attemptsBefore: routed?.attemptsBefore ?? 0,
      waitMsMax: routed?.waitMsMax ?? Number.POSITIVE_INFINITY,
      isAnsweredFor: routed === undefined,
      budgetMs: () => budgetOf(way, ports),
      async ask(attemptNumber) {
        if (attemptNumber === 1 && first.first !== undefined) return first.first.asked;
        const asking = attemptNumber === 1 ? first : { ...first, upstream: await decideAgain(routed === undefined ? first : there, ports) };
        askedMs = ports.clock.monotonicMs();
        const asked = await askOnce(asking, attemptNumber, ports);
        if (typeof asked !== "string" && asked.skipped !== undefined) skipped.push(asked.skipped);
        return asked;
      },
      inspect: (response) =>
        (response === first.first?.asked.response ? first.first.meaning : undefined) ??
        (routed?.inspect ?? inspectHere)(response, as, ofUsage !== undefined, askedMs),
    },
    ports,
  );
  if (typeof answered === "string" || skipped.length === 0) return answered;
  return { ...answered, skipped: () => skipped.flatMap((each) => each()) };
}

export async function decideAgain(
  { exchange, facts, met }: Pick<Asking, "exchange" | "facts" | "met">,
  ports: Ports,
): Promise<readonly PlannedFault[]> {
  const { planned, decisions } = await decideNow(exchange, facts, ports, "upstream");
  met.push(...namesOf(decisions));
  return planned;
}

export function budgetOf({ untilMonotonicMs }: Pick<GovernedWay, "untilMonotonicMs">, ports: Ports): number | undefined {
  return untilMonotonicMs === undefined ? undefined : untilMonotonicMs - ports.clock.monotonicMs();
}

/** What the target answered at first, and what that means where it has been looked at. */
export type First = {
  readonly asked: Exclude<AskedOnce, string>;
  readonly meaning: ReturnType<typeof inspect> | undefined;
};

/** Most targets answer well at once, and nothing else need be done then: it is their response. What fails goes on from there. */
export function firstOf(answer: Answer, exchange: Identified, { governed: held }: GovernedWay, ports: Ports): OpenResponse | First {
  const outcome = attempted(exchange, answer, ports);
  if (outcome === "client_gone" || exchange.clientGone.aborted) {
    if (outcome !== "client_gone") discard(outcome.response);
    throw new BodyCut("reset");
  }
  const forward = "kind" in answer ? answer : undefined;
  held.observed.attempts = 1;
  held.observed.wasReached = forward === undefined;
  const meaning = outcome.error === undefined ? inspect(outcome.response, exchange, false, held, ports) : undefined;
  const isGood = meaning !== undefined && !(meaning instanceof Promise) && meaning.failure === undefined && meaning.error === undefined;
  return isGood ? meaning.response : { asked: { response: outcome.response, error: outcome.error, forward }, meaning };
}

/** Asks the target, which may meet faults of its own: they work on what it sees, and in its dialect. */
export function askOnce(asking: Asking, attemptNumber: number, ports: Ports): Promise<AskedWithFaults> {
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
export async function toClient(side: TargetSide | Refused, exchange: Identified, ports: Ports): Promise<Attempted> {
  if ("refusal" in side) return { response: side.refusal, error: side.error };
  const answer = await attempt(side.exchange, false, side.facts, ports);
  const outcome = attempted(exchange, answer, ports);
  if (outcome === "client_gone" || outcome.error !== undefined) return outcome;
  return side.toClient(outcome.response);
}
