import type { Delivery, Identified, RequestFacts } from "../../core/exchange.ts";
import type { Gateway } from "../../core/gateway.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { DEGRADED_SIGNAL, degradedAnswer } from "../../policy/degraded-answer.ts";
import { admit } from "../admit.ts";
import { dated } from "../helpers/dated.ts";
import { Facts } from "../helpers/facts.ts";
import { ownFieldsOf } from "../helpers/own-fields.ts";
import { factsOf } from "../helpers/read-facts.ts";
import { repeatableBody, withBody } from "../helpers/repeatable-body.ts";
import { TEST_MODES, testModeFault } from "../helpers/test-mode.ts";
import { withTokens } from "../helpers/told-tokens.ts";
import { delivered, NOTHING_NOTED, type Notes } from "../record.ts";
import { adaptationOf } from "../translate.ts";
import { firstAnswer, type GovernedWay } from "./ask.ts";
import { decideNow, NOTHING_DECIDED, type Planning } from "./decide-now.ts";
import { mishap, ownErrorDelivery } from "./own-answers.ts";
import { performed } from "./perform.ts";

/** An inference request through limits, circuit and retries. */
export async function governed(received: Identified, gateway: Gateway, ports: Ports): Promise<Delivery> {
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

/** As if its circuit were open: nobody is asked, and nothing is counted. */
function degradedDelivery(exchange: Identified, { breaker, retry }: Gateway, notes: Notes, ports: Ports): Delivery {
  const answer = degradedAnswer(exchange.provider, breaker?.degradedSignal ?? DEGRADED_SIGNAL, retry.transientDelayMs);
  return delivered(exchange, dated(answer, ports.clock.wallMs()), { ...notes, error: "provider_degraded" }, ports);
}
