import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import type { BreakerView, CircuitState, StoreHealth } from "../core/state-store.ts";
import { worstOf } from "./circuits.ts";
import type { RouteSights, RouteState, RouteTargetState } from "./route-states.ts";
import type { Targets } from "./targets.ts";

export type LedgerHealth = { readonly isUp: boolean; readonly detail: string | undefined; readonly pending: number };

type CircuitHealth = {
  readonly circuit_state: CircuitState;
  readonly circuit_failures: number;
  /** RFC 3339. */
  readonly circuit_cooldown_until: string | null;
};

export type HealthReport = {
  readonly status: "ok" | "degraded";
  readonly providers: Readonly<Record<string, object>>;
  /** Not there where there are none. */
  readonly routes?: readonly object[];
  readonly store: object;
  readonly ledger: object | null;
};

export type HealthFacts = {
  readonly targets: Targets;
  readonly circuits: readonly BreakerView[];
  readonly breaker: "off" | "log" | "enforce";
  readonly store: StoreHealth;
  readonly ledger: LedgerHealth | undefined;
  /** By provider: did its target give a response when it was last asked? */
  readonly reached: ReadonlyMap<ProviderName, boolean>;
  readonly routes: RouteSights;
};

/**
 * What `GET /health` says: 503 while an open circuit keeps requests from a target, or a route has none that can be asked, else 200. An open circuit of
 * a route's target is no more than that: others take its place.
 */
export function healthOf(facts: HealthFacts): { readonly isHealthy: boolean; readonly report: HealthReport } {
  const { targets, circuits, breaker, store, ledger, reached, routes } = facts;
  const providers = Object.fromEntries(
    PROVIDER_NAMES.map((name) => {
      const own = circuits.filter(({ key }) => key.provider === name);
      const models = own.filter(({ key }) => key.model !== undefined).map((view) => [view.key.model ?? "", circuitHealth([view])] as const);
      return [
        name,
        {
          ...placeOf(name, targets),
          reachable: reached.get(name) ?? null,
          ...(breaker !== "off" ? circuitHealth(own) : {}),
          ...(models.length === 0 ? {} : { models: Object.fromEntries(models) }),
        },
      ];
    }),
  );
  // A circuit that is only watched keeps nobody from anything.
  const isKept = breaker === "enforce" && circuits.some((view) => view.state === "open" && !routes.openCircuits.has(view));
  const isHealthy = !isKept && routes.states.every(({ isServed }) => isServed);
  return {
    isHealthy,
    report: {
      status: isHealthy ? "ok" : "degraded",
      providers,
      ...(routes.states.length === 0 ? {} : { routes: routes.states.map(routeHealth) }),
      store: { kind: store.kind, up: store.isUp, instances: store.instances, detail: store.detail ?? null },
      ledger: ledger === undefined ? null : { up: ledger.isUp, pending: ledger.pending, detail: ledger.detail ?? null },
    },
  };
}

function circuitHealth(views: readonly BreakerView[]): CircuitHealth {
  const { state, failures, cooldownUntilWallMs } = worstOf(views);
  return { circuit_state: state, circuit_failures: failures, circuit_cooldown_until: rfc3339(cooldownUntilWallMs) };
}

function routeHealth({ match, targets }: RouteState): object {
  return { match, targets: targets.map(targetHealth) };
}

/** Anybody may ask: of a credential neither its place nor anything of itself is told. */
function targetHealth({ name, circuit, cooldown, credential, passedOver }: RouteTargetState): object {
  return {
    name,
    ...(circuit === undefined ? {} : { circuit_state: circuit.state }),
    cooldown: cooldown === undefined ? null : { reason: cooldown.reason, until: rfc3339(cooldown.untilWallMs) },
    credential: credential === undefined ? null : { source: credential.kind, state: credential.state },
    passed_over: passedOver ?? null,
  };
}

function rfc3339(wallMs: number | undefined): string | null {
  return wallMs === undefined ? null : new Date(wallMs).toISOString();
}

/** Where it is; a base may hold credentials, a host does not. */
function placeOf(name: ProviderName, targets: Targets): { readonly host: string | null; readonly configured: boolean } {
  const target = targets[name];
  if (target.kind === "url") return { host: new URL(target.base).host, configured: true };
  return { host: target.kind === "simulated" ? "simulated" : null, configured: target.kind === "simulated" };
}
