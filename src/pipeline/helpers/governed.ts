import type { GatewayFacts } from "../../core/event.ts";
import type { FailureClass } from "../../core/failure.ts";
import type { Gateway, Observed } from "../../core/gateway.ts";
import type { BreakerOutcome, BreakerTicket, Caller, Reservation } from "../../core/state-store.ts";

/** An inference request on its way through the gateway: what it holds of limits and circuit, and what is seen of it. */
export class Governed {
  readonly gateway: Gateway;
  readonly observed: Observed;
  readonly #reservation: Reservation | undefined;
  #ticket: BreakerTicket | undefined;
  #isSettled = false;

  constructor(gateway: Gateway, caller: Caller, stream: boolean, reservation: Reservation | undefined, ticket: BreakerTicket | undefined) {
    this.gateway = gateway;
    this.observed = {
      caller,
      stream,
      attempts: 0,
      failure: undefined,
      usage: undefined,
      answeredModel: undefined,
      refusedBy: undefined,
      wasReached: undefined,
      firstTokenMs: undefined,
      tried: [],
      answeredBy: undefined,
    };
    this.#reservation = reservation;
    this.#ticket = ticket;
  }

  /** Is it the one request that may try a target whose circuit is open? */
  get isProbe(): boolean {
    return this.#ticket?.isProbe === true;
  }

  /** Goes on to another target, with leave of that one's circuit. */
  meet(ticket: BreakerTicket | undefined): void {
    if (this.#ticket !== undefined && !this.#isSettled) this.gateway.store.settle(this.#ticket, "neutral");
    this.#ticket = ticket;
    this.#isSettled = false;
  }

  /** Tells the circuit how the target did. */
  settle(outcome: BreakerOutcome): void {
    if (this.#ticket === undefined) return;
    this.#isSettled = true;
    this.#ticket = this.gateway.store.settle(this.#ticket, outcome);
  }

  /** The end, once: what is held is settled or given back. `status`: what the client got. */
  end(status: number | null): GatewayFacts {
    const { gateway, observed } = this;
    if (this.#ticket !== undefined && !this.#isSettled) gateway.store.settle(this.#ticket, "neutral");
    if (this.#reservation !== undefined) {
      if (observed.usage !== undefined) gateway.store.reconcile(this.#reservation, observed.usage.inputTokens);
      else if (isFailed(status, observed.attempts)) gateway.store.giveBack(this.#reservation);
    }
    return gatewayFacts(observed, gateway);
  }
}

/** What a target said that has failed: what counts is the usage of the answer that the client gets. */
export function forget(observed: Observed): void {
  observed.usage = undefined;
  observed.answeredModel = undefined;
  observed.firstTokenMs = undefined;
}

/** What somebody who looks at an answer tells of it. */
export type Told = Pick<Governed, "observed" | "settle">;

/** The target failed, or was never asked. A client that left may still have been served. */
function isFailed(status: number | null, attempts: number): boolean {
  return attempts === 0 || (status !== null && status >= 500);
}

function gatewayFacts(observed: Observed, gateway: Gateway): GatewayFacts {
  const { caller, stream, attempts, failure, usage, answeredModel, firstTokenMs, refusedBy, wasReached, tried, answeredBy } = observed;
  const { provider, model } = answeredBy ?? caller;
  return {
    stream,
    attempts,
    failure: failure ?? null,
    answeredModel: answeredModel ?? null,
    firstTokenMs: firstTokenMs ?? null,
    usage: usage ?? null,
    costUsd: usage === undefined ? null : (gateway.costOf({ provider, model, answeredModel, usage }) ?? null),
    key: caller.key ?? null,
    user: caller.user ?? null,
    reached: wasReached ?? null,
    answeredBy: answeredBy?.provider ?? null,
    tried,
    limit: refusedBy === undefined ? null : { scope: refusedBy.scope, metric: refusedBy.metric, window: refusedBy.window },
  };
}

/** What a failure means for the circuit: a target that refuses a request works. */
export function outcomeOf(failure: FailureClass): BreakerOutcome {
  switch (failure) {
    case "degraded":
      return "failure";
    case "global_rate_limit":
      return "global_rate_limit";
    case "local_rate_limit":
      return "neutral";
    default:
      return "success";
  }
}
