import type { Identified } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import type { Rule } from "../../core/rule.ts";
import { type Decided, decide, needsFacts } from "../decide.ts";
import type { Facts } from "../helpers/facts.ts";
import { NO_FACTS } from "../helpers/read-facts.ts";
import { recordDecisions } from "../record.ts";

export type Planning = Pick<Decided, "planned" | "decisions">;

export const NOTHING_DECIDED: Planning = { planned: [], decisions: [] };

/** Asks the rules. Reading the value, deciding and writing it back happen without a pause between them. */
export async function decideNow(exchange: Identified, facts: Pick<Facts, "get">, ports: Ports, side?: Rule["side"]): Promise<Decided> {
  const now = ports.clock.monotonicMs();
  const known = needsFacts(exchange, ports.rules.get(), now) ? await facts.get() : NO_FACTS;
  const rules = ports.rules.get();
  const decided = decide(exchange, known, rules, ports.seed, now, side);
  if (decided.rules !== rules) ports.rules.set(decided.rules);
  recordDecisions(exchange, known.model, decided.decisions, ports);
  return decided;
}

/** Of the faults that were chosen. */
export function namesOf(decisions: Decided["decisions"]): string[] {
  return decisions.filter(({ injected }) => injected).map(({ rule }) => rule.fault);
}
