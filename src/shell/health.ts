import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import type { BreakerView, CircuitState, StoreHealth } from "../core/state-store.ts";
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
  readonly store: object;
  readonly ledger: object | null;
};

/** What `GET /health` says: 200 while every provider that was asked lately can be, 503 while an open circuit keeps requests from a target. */
export function healthOf(
  targets: Targets,
  circuits: readonly BreakerView[],
  breaker: "off" | "log" | "enforce",
  store: StoreHealth,
  ledger: LedgerHealth | undefined,
  /** By provider: did its target give a response when it was last asked? */
  reached: ReadonlyMap<ProviderName, boolean>,
): { readonly isHealthy: boolean; readonly report: HealthReport } {
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
  const isHealthy = breaker !== "enforce" || !circuits.some(({ state }) => state === "open");
  return {
    isHealthy,
    report: {
      status: isHealthy ? "ok" : "degraded",
      providers,
      store: { kind: store.kind, up: store.isUp, instances: store.instances, detail: store.detail ?? null },
      ledger: ledger === undefined ? null : { up: ledger.isUp, pending: ledger.pending, detail: ledger.detail ?? null },
    },
  };
}

const ORDER: readonly CircuitState[] = ["closed", "half_open", "open"];

/** Of several circuits the worst, with the failures of all. */
function circuitHealth(views: readonly BreakerView[]): CircuitHealth {
  const state = ORDER[Math.max(0, ...views.map((view) => ORDER.indexOf(view.state)))] ?? "closed";
  const until = Math.max(0, ...views.map(({ cooldownUntilWallMs = 0 }) => cooldownUntilWallMs));
  return {
    circuit_state: state,
    circuit_failures: views.reduce((sum, { failures }) => sum + failures, 0),
    circuit_cooldown_until: until === 0 ? null : new Date(until).toISOString(),
  };
}

/** Where it is; a base may hold credentials, a host does not. */
function placeOf(name: ProviderName, targets: Targets): { readonly host: string | null; readonly configured: boolean } {
  const target = targets[name];
  if (target.kind === "url") return { host: new URL(target.base).host, configured: true };
  return { host: target.kind === "simulated" ? "simulated" : null, configured: target.kind === "simulated" };
}
