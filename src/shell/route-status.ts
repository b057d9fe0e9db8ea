import type { RouteMatchSetting } from "../config/route-settings.ts";
import type { CooldownReason } from "../core/cooldown.ts";
import type { CircuitState } from "../core/state-store.ts";
import type { SourceState } from "./credentials/credentials.ts";
import type { RouteState, RouteTargetState } from "./route-states.ts";

/** A target of a route as the control socket tells it. Moments are RFC 3339. */
export type RouteTargetStatus = {
  readonly name: string;
  /** Null where there is no circuit breaker. */
  readonly circuit: { readonly state: CircuitState; readonly failures: number; readonly cooldownUntil: string | null } | null;
  readonly cooldown: { readonly reason: CooldownReason; readonly until: string } | null;
  /** Null where it has none of its own, or needs none. */
  readonly credential: SourceState | null;
  /** Why it is not asked by now, in the word that `x-faultproxy-attempts` has; null: it is. */
  readonly passedOver: string | null;
};

export type RouteStatus = { readonly match: RouteMatchSetting; readonly targets: readonly RouteTargetStatus[] };

export function routeStatuses(routes: readonly RouteState[]): readonly RouteStatus[] {
  return routes.map(({ match, targets }) => ({ match, targets: targets.map(targetStatus) }));
}

function targetStatus({ name, circuit, cooldown, credential, passedOver }: RouteTargetState): RouteTargetStatus {
  return {
    name,
    circuit:
      circuit === undefined
        ? null
        : {
            state: circuit.state,
            failures: circuit.failures,
            cooldownUntil: circuit.cooldownUntilWallMs === undefined ? null : rfc3339(circuit.cooldownUntilWallMs),
          },
    cooldown: cooldown === undefined ? null : { reason: cooldown.reason, until: rfc3339(cooldown.untilWallMs) },
    credential: credential === undefined ? null : sourceStatus(credential),
    passedOver: passedOver ?? null,
  };
}

function sourceStatus({ source, state, expires, detail }: SourceState): SourceState {
  return { source, state, expires, detail };
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
