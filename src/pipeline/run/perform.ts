import type { Delivery, Identified } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import type { Attempted } from "../attempt.ts";
import { needsPlainAnswer, withBodyFaults } from "../body-faults.ts";
import type { PlannedFault } from "../decide.ts";
import { dated } from "../helpers/dated.ts";
import type { Facts } from "../helpers/facts.ts";
import { withTokens } from "../helpers/told-tokens.ts";
import { scriptOf } from "../helpers/wire-script.ts";
import { performBefore } from "../perform-before.ts";
import { actionsBefore, plannedOf } from "../planned.ts";
import { abandoned, delivered, NOTHING_NOTED, type Notes, scripted, undelivered } from "../record.ts";
import { adaptationOf, targetSide } from "../translate.ts";
import { wireFaultsOf } from "../wire-faults.ts";
import { askOnce, askUntilAnswered, type First, type GovernedWay } from "./ask.ts";
import { namesOf, type Planning } from "./decide-now.ts";
import { askRoute } from "./routed.ts";

const NO_PLAN: readonly PlannedFault[] = [];

type Performing = {
  readonly exchange: Identified;
  readonly decided: Planning;
  readonly facts: Facts;
  /** Undefined where the gateway has no part in it. */
  readonly way?: GovernedWay;
  /** The target has been asked once. */
  readonly first?: First | undefined;
};

/** An exchange that meets faults, or goes through the gateway, or both. */
export async function performed({ exchange, decided, facts, way, first }: Performing, ports: Ports): Promise<Delivery> {
  const adaptation = way?.route === undefined ? adaptationOf(exchange, ports) : undefined;
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
    ...(way === undefined ? undefined : { governed: way.governed }),
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
      if (way?.route !== undefined) {
        const { model } = known;
        const isStream = way.isRead || known.stream ? known.stream : undefined;
        const asked = await askRoute({ exchange, facts, route: way.route, way, model, isStream, upstream, met }, ports);
        if (asked === "hang") return undelivered(exchange, "hang", notes, ports);
        if (asked === "client_gone") return abandoned(exchange, notes, ports);
        skippedThere = asked.skipped;
        outcome = asked;
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
