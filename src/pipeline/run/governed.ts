import type { Delivery, Identified, RequestFacts } from "../../core/exchange.ts";
import type { Gateway } from "../../core/gateway.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { DEGRADED_SIGNAL, degradedAnswer } from "../../policy/degraded-answer.ts";
import { admit } from "../admit.ts";
import { attempt } from "../attempt.ts";
import type { PlannedFault } from "../decide.ts";
import { dated } from "../helpers/dated.ts";
import { Facts } from "../helpers/facts.ts";
import { ownFieldsOf } from "../helpers/own-fields.ts";
import { factsOf } from "../helpers/read-facts.ts";
import { repeatableBody, withBody } from "../helpers/repeatable-body.ts";
import { TEST_MODES, testModeFault } from "../helpers/test-mode.ts";
import { withTokens } from "../helpers/told-tokens.ts";
import { delivered, NOTHING_NOTED, type Notes } from "../record.ts";
import { routeOf } from "../route.ts";
import { adaptationOf } from "../translate.ts";
import { budgetOf, firstOf, type GovernedWay } from "./ask.ts";
import { decideNow, NOTHING_DECIDED, type Planning } from "./decide-now.ts";
import { mishap, ownErrorDelivery } from "./own-answers.ts";
import { performed } from "./perform.ts";

/** An inference request through limits, circuit and retries. */
export async function governed(received: Identified, gateway: Gateway, ports: Ports): Promise<Delivery> {
  let notes = NOTHING_NOTED;
  try {
    const own = ownFieldsOf(received);
    if (own?.budgetMs === "nonsense") {
      const message = "x-llm-proxy-timeout-ms must be a whole number of milliseconds above 0";
      return ownErrorDelivery(received, 400, "invalid_timeout", message, notes, ports);
    }
    const there = received.body.atHand ?? (await received.body.whole(REQUEST_INSPECT_BYTES_MAX));
    const { maxTransientRetries, maxRateLimitRetries, bodyBytesMax } = gateway.retry;
    const isRepeatable =
      (maxTransientRetries + maxRateLimitRetries > 0 || gateway.routes.length > 0) && there !== undefined && there.length <= bodyBytesMax;
    const asked = own?.exchange ?? received;
    const exchange = isRepeatable ? withBody(asked, repeatableBody(asked.body, there)) : asked;
    const known = factsOf(exchange, there, ports);
    const route = gateway.routes.length === 0 ? undefined : routeOf(exchange, known.model, gateway);
    const bodyBytes = there?.length ?? exchange.body.lengthBytes ?? REQUEST_INSPECT_BYTES_MAX;
    const admitting = admit(exchange, known, bodyBytes, gateway, route !== undefined, ports);
    const { governed: held, refusal, circuit } = admitting instanceof Promise ? await admitting : admitting;
    notes = { model: known.model, faults: NOTHING_NOTED.faults, skipped: NOTHING_NOTED.skipped, error: undefined, governed: held };
    if (refusal !== undefined) return delivered(exchange, refusal, { ...notes, error: "rate_limited" }, ports);
    const untilMonotonicMs = own?.budgetMs === undefined ? undefined : exchange.receivedMonotonicMs + own.budgetMs;
    const way: GovernedWay = { governed: held, circuit, isRepeatable, isRead: there !== undefined, untilMonotonicMs, route };
    const facts = new Facts(exchange, ports, known);
    const planning = planOf(exchange, facts, way, own?.testMode, ports);
    const planned = planning instanceof Promise ? await planning : planning;
    if (planned === "force_degraded") return degradedDelivery(exchange, gateway, notes, ports);
    const first = isShort(exchange, known, planned, way, ports)
      ? firstOf(await attempt(exchange, true, facts, ports, budgetOf(way, ports)), exchange, way, ports)
      : undefined;
    if (first !== undefined && "status" in first) return delivered(exchange, withTokens(first, held.observed), notes, ports);
    return await performed({ exchange, decided: planned, facts, way, first }, ports);
  } catch (error) {
    return mishap(received, error, notes, ports);
  }
}

/** The faults that it meets, those that the request itself asks for in test mode included. */
function planOf(
  exchange: Identified,
  facts: Facts,
  way: GovernedWay,
  asked: string | undefined,
  ports: Ports,
): Planning | "force_degraded" | Promise<Planning> {
  const { breaker } = way.governed.gateway;
  const testMode = breaker?.testMode === true ? TEST_MODES.find((each) => each === asked) : undefined;
  if (testMode === "force_degraded") return testMode;
  const { mode, added } = ports.rules.get();
  const isRuled = mode !== undefined || added.length > 0;
  if (testMode === undefined) return isRuled ? decideNow(exchange, facts, ports, sideOf(way)) : NOTHING_DECIDED;
  const inTest = testModeFault(testMode, ports.seed);
  if (inTest === undefined) return isRuled ? decideNow(exchange, facts, ports, sideOf(way)) : NOTHING_DECIDED;
  return isRuled ? withTest(inTest, decideNow(exchange, facts, ports, sideOf(way))) : { ...NOTHING_DECIDED, planned: [inTest] };
}

async function withTest(inTest: PlannedFault, deciding: Promise<Planning>): Promise<Planning> {
  const { planned, decisions } = await deciding;
  return { planned: [inTest, ...planned], decisions };
}

/** A target that is not asked can meet no fault. */
function sideOf({ governed, circuit, route }: GovernedWay): "client" | undefined {
  // The targets of a route meet theirs when they are asked.
  if (route !== undefined) return "client";
  return circuit?.kind === "refused" && governed.gateway.breaker?.mode === "enforce" ? "client" : undefined;
}

/** Nothing is in its way: no fault, no open circuit, no translation, no question of ours. */
function isShort(exchange: Identified, facts: RequestFacts, { planned }: Planning, { circuit, route }: GovernedWay, ports: Ports): boolean {
  if (route !== undefined) return false;
  const asksForUsage = facts.stream && exchange.dialect === "chat";
  return planned.length === 0 && circuit?.kind !== "refused" && !asksForUsage && adaptationOf(exchange, ports) === undefined;
}

/** As if its circuit were open: nobody is asked, and nothing is counted. */
function degradedDelivery(exchange: Identified, { breaker, retry }: Gateway, notes: Notes, ports: Ports): Delivery {
  const answer = degradedAnswer(exchange.provider, breaker?.degradedSignal ?? DEGRADED_SIGNAL, retry.transientDelayMs);
  return delivered(exchange, dated(answer, ports.clock.wallMs()), { ...notes, error: "provider_degraded" }, ports);
}
