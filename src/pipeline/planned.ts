import type { Identified, RequestFacts } from "../core/exchange.ts";
import type { Action, Fault, FaultContext } from "../core/fault.ts";
import type { Ports } from "../core/ports.ts";
import { randomStream } from "../core/random.ts";
import type { Rule } from "../core/rule.ts";
import { DIALECTS } from "../dialects/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import type { PlannedFault } from "./decide.ts";
import { errorContext } from "./helpers/error-context.ts";

/** A fault that this exchange meets, with all that it may speak of. */
export type Planned = { readonly rule: Rule; readonly fault: Fault; readonly context: FaultContext };

export function plannedOf(
  { rule, fault, random }: PlannedFault,
  exchange: Identified,
  facts: RequestFacts,
  ports: Ports,
  attempt = 1,
): Planned {
  // Texts draw from a stream of their own, so that a longer text does not shift the draws that decide.
  const textRandom = randomStream(ports.seed, `text/${rule.id}/${rule.generation}/${rule.matched}`);
  return {
    rule,
    fault,
    context: {
      exchange,
      provider: PROVIDERS[exchange.provider],
      dialect: exchange.dialect && DIALECTS[exchange.dialect],
      facts,
      errorContext: errorContext(exchange, facts, textRandom, ports.clock.wallMs()),
      parameters: rule.parameters,
      attempt,
      random,
    },
  };
}

/** Delays first, whatever the order of the rules: they add up, also before an answer that a rule before them gives. */
export function actionsBefore(faults: readonly Planned[]): readonly Action[] {
  const of = (terminal: boolean) =>
    faults.flatMap(({ fault, context }) => (fault.acts === "before" && fault.terminal === terminal ? fault.plan(context) : []));
  return [...of(false), ...of(true)];
}
