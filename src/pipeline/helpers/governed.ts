import type { GatewayFacts } from "../../core/event.ts";
import type { FailureClass } from "../../core/failure.ts";
import type { Gateway, Observed } from "../../core/gateway.ts";
import type { BreakerOutcome, BreakerTicket, Caller, Reservation } from "../../core/state-store.ts";

/** An inference request on its way through the gateway: what it holds of limits and circuit, and what is seen of it. */
export type Governed = {
  readonly gateway: Gateway;
  readonly observed: Observed;
  /** The one request that may try a target whose circuit is open. */
  readonly isProbe: boolean;
  /** Tells the circuit how the target did. */
  readonly settle: (outcome: BreakerOutcome) => void;
  /** The end, once: what is held is settled or given back. `status`: what the client got. */
  readonly end: (status: number | null) => GatewayFacts;
};

type Held = {
  readonly caller: Caller;
  readonly stream: boolean;
  readonly reservation: Reservation | undefined;
  readonly ticket: BreakerTicket | undefined;
};

export function governedBy(gateway: Gateway, { caller, stream, reservation, ticket }: Held): Governed {
  const observed: Observed = {
    caller,
    stream,
    attempts: 0,
    failure: undefined,
    usage: undefined,
    answeredModel: undefined,
    refusedBy: undefined,
    wasReached: undefined,
    firstTokenMs: undefined,
  };
  let held = ticket;
  let isSettled = false;
  return {
    gateway,
    observed,
    isProbe: ticket?.isProbe === true,
    settle(outcome) {
      if (held === undefined) return;
      isSettled = true;
      held = gateway.store.settle(held, outcome);
    },
    end(status) {
      if (held !== undefined && !isSettled) gateway.store.settle(held, "neutral");
      const { usage } = observed;
      if (reservation !== undefined) {
        if (usage !== undefined) gateway.store.reconcile(reservation, usage.inputTokens);
        else if (isFailed(status, observed.attempts)) gateway.store.giveBack(reservation);
      }
      return gatewayFacts(observed, gateway);
    },
  };
}

/** The target failed, or was never asked. A client that left may still have been served. */
function isFailed(status: number | null, attempts: number): boolean {
  return attempts === 0 || (status !== null && status >= 500);
}

function gatewayFacts(observed: Observed, gateway: Gateway): GatewayFacts {
  const { caller, stream, attempts, failure, usage, answeredModel, firstTokenMs, refusedBy, wasReached } = observed;
  const { provider, model } = caller;
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
