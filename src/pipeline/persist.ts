import type { ForwardFailure, Identified, OpenResponse } from "../core/exchange.ts";
import type { Failure } from "../core/failure.ts";
import type { RetryManner } from "../core/gateway.ts";
import type { Ports } from "../core/ports.ts";
import { type Random, randomStream } from "../core/random.ts";
import type { BreakerVerdict } from "../core/state-store.ts";
import { failureOfForward } from "../policy/classify.ts";
import { degradedAnswer } from "../policy/degraded-answer.ts";
import { afterFailure, NO_RETRIES, type RetryState } from "../policy/retry.ts";
import { discard } from "./helpers/bodies.ts";
import { dated } from "./helpers/dated.ts";
import { forget, type Governed, outcomeOf } from "./helpers/governed.ts";
import { timestamp } from "./helpers/timestamp.ts";

/** What one asking of the target came to, in the target's dialect. */
export type AskedOnce =
  | {
      readonly response: OpenResponse;
      /** Why it is our own; undefined: it is the target's. */
      readonly error: string | undefined;
      /** Why none came. */
      readonly forward: ForwardFailure | undefined;
    }
  | "client_gone"
  /** Nothing came, and nothing will. */
  | "hang";

export type Persisting = {
  readonly exchange: Identified;
  readonly governed: Governed;
  /** Undefined: there is no circuit. */
  readonly circuit: BreakerVerdict | undefined;
  /** Can the request be sent again? */
  readonly isRepeatable: boolean;
  /** What is left of the time that the request allows; undefined: as long as it takes. */
  readonly budgetMs: () => number | undefined;
  /** What the route calls it; undefined: there is no route. */
  readonly target: string | undefined;
  /** How it is asked again. */
  readonly retry: RetryManner;
  /** Of other targets, for the same exchange. */
  readonly attemptsBefore: number;
  /** A wait that is longer makes no sense: there is another target. */
  readonly waitMsMax: number;
  /** Is a target that does not work answered for? Else what it said is given. */
  readonly isAnsweredFor: boolean;
  readonly ask: (attempt: number) => Promise<AskedOnce>;
  readonly inspect: (response: OpenResponse) => Meaning | Promise<Meaning>;
};

type Meaning = { readonly response: OpenResponse; readonly failure: Failure | undefined; readonly error?: string };

export type Outcome =
  | Exclude<AskedOnce, { forward: unknown }>
  | {
      readonly response: OpenResponse;
      readonly error: string | undefined;
      /** Why it is no answer. */
      readonly failure?: Failure | undefined;
    };

/**
 * Asks until the target answers, or until asking again makes no sense: a target whose circuit is open is not asked at all, and one that
 * does not work is answered for. Nothing has gone to the client by then.
 */
export async function persist(doing: Persisting, ports: Ports): Promise<Outcome> {
  const { exchange, governed, circuit } = doing;
  const { gateway, observed } = governed;
  const { breaker } = gateway;
  const isEnforced = breaker?.mode === "enforce";
  if (circuit?.kind === "refused" && breaker !== undefined && isEnforced) {
    observed.failure = "degraded";
    return degraded(exchange, breaker.degradedSignal, circuit.retryAfterMs, ports);
  }
  let random: Random | undefined;
  let state: RetryState = NO_RETRIES;
  let healed = 0;
  for (let attempt = 1; ; attempt++) {
    observed.attempts = doing.attemptsBefore + attempt;
    observed.failure = undefined;
    if (observed.attempts > 1) forget(observed);
    const asked = await doing.ask(attempt);
    if (asked === "client_gone" || asked === "hang") return asked;
    observed.wasReached = asked.forward === undefined;
    const meaning = meaningOf(asked, doing.inspect);
    const { response, failure, error = asked.error } = meaning instanceof Promise ? await meaning : meaning;
    // What a call that nobody waits for came to says nothing of the target.
    if (exchange.clientGone.aborted) {
      discard(response);
      return "client_gone";
    }
    if (failure === undefined) {
      // Our own configuration, or the client's patience: neither says anything of the target.
      if (error === undefined) contribute(healed, exchange, governed, ports);
      else governed.settle("neutral");
      return { response, error };
    }
    observed.failure = failure.class;
    // One answer is enough to tell whether the circuit can close; a circuit that is only watched changes nothing.
    const isTrial = governed.isProbe && isEnforced;
    random ??= randomStream(ports.seed, `retry/${exchange.id}`);
    const next = isTrial || !doing.isRepeatable ? undefined : afterFailure(state, failure, doing.retry, random.next());
    const left = doing.budgetMs() ?? Number.POSITIVE_INFINITY;
    if (next?.kind === "retry" && next.waitMs < left && next.waitMs <= doing.waitMsMax) {
      state = next.state;
      if (failure.class === "degraded") healed++;
      ports.record({
        type: "retry",
        time: timestamp(ports.clock.wallMs()),
        exchange: exchange.id,
        provider: exchange.provider,
        model: observed.caller.model ?? null,
        target: doing.target ?? null,
        attempt,
        class: failure.class,
        status: error === undefined ? response.status : null,
        waitMs: Math.round(next.waitMs),
      });
      discard(response);
      await ports.clock.sleep(next.waitMs, exchange.clientGone);
      if (exchange.clientGone.aborted) return "client_gone";
      continue;
    }
    governed.settle(outcomeOf(failure.class));
    if (failure.class !== "degraded" || !isEnforced || breaker === undefined || !doing.isAnsweredFor) return { response, error, failure };
    discard(response);
    return degraded(exchange, breaker.degradedSignal, failure.retryAfterMs ?? doing.retry.transientDelayMs, ports);
  }
}

function meaningOf({ response, error, forward }: Exclude<AskedOnce, string>, inspect: Persisting["inspect"]): Meaning | Promise<Meaning> {
  if (forward !== undefined) return { response, failure: failureOfForward(forward) };
  return error === undefined ? inspect(response) : { response, failure: undefined };
}

/** Failures that a retry healed are told, or count too, where the settings say so. A stream's success is told when its output begins. */
function contribute(healed: number, { id, provider }: Identified, governed: Governed, ports: Ports): void {
  const { gateway, observed } = governed;
  const contribution = gateway.breaker?.retryContribution ?? "off";
  if (healed === 0 || contribution === "off") return;
  const counted = contribution === "on";
  if (counted) for (let each = 0; each < healed; each++) governed.settle("failure");
  const time = timestamp(ports.clock.wallMs());
  ports.record({ type: "healed", time, exchange: id, provider, model: observed.caller.model ?? null, failures: healed, counted });
}

function degraded({ provider }: Identified, signal: string, retryAfterMs: number, ports: Ports): Outcome {
  return { response: dated(degradedAnswer(provider, signal, retryAfterMs), ports.clock.wallMs()), error: "provider_degraded" };
}
