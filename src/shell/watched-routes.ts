import type { RouteSetting } from "../config/route-settings.ts";
import type { Cooldowns } from "../core/cooldown.ts";
import type { ExchangeEvent } from "../core/event.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import type { BreakerView } from "../core/state-store.ts";
import type { OpenCredentials } from "./credentials/credentials.ts";
import { type RouteSights, routeSights, type SetRoute, type TargetSights } from "./route-states.ts";

/** The routes that hold by now, and how their targets are. */
export type WatchedRoutes = {
  readonly set: (settings: readonly RouteSetting[], routes: readonly Route[], breaker: TargetSights["breaker"]) => void;
  readonly sights: (circuits: readonly BreakerView[]) => RouteSights;
  /** By provider: did its target give a response when it was last asked? */
  readonly reached: ReadonlyMap<ProviderName, boolean>;
  readonly note: (event: ExchangeEvent) => void;
};

export function createWatchedRoutes(cooldowns: Cooldowns, { read, states }: Pick<OpenCredentials, "read" | "states">): WatchedRoutes {
  let routes: readonly SetRoute[] = [];
  let breaker: TargetSights["breaker"] = "off";
  /** A name says all that there is of place and model. */
  let targets: ReadonlyMap<string, RouteTarget> = new Map();
  const reached = new Map<ProviderName, boolean>();
  const sourceState: TargetSights["sourceState"] = (source) => states([source])[0];
  return {
    set(settings, made, mode) {
      routes = made.flatMap((route, index) => ({ match: settings[index]?.match ?? {}, route }));
      breaker = mode;
      targets = new Map(made.flatMap((route) => route.targets.map((target) => [target.name, target] as const)));
    },
    sights: (circuits) => routeSights(routes, { circuits, breaker, cooldowns: cooldowns.all(), read, sourceState }),
    reached,
    note({ provider, gateway }) {
      if (gateway === undefined || gateway.reached === null) return;
      if (gateway.tried.length === 0) {
        reached.set(provider, gateway.reached);
        return;
      }
      const asked = gateway.tried.filter(({ attempts }) => attempts > 0);
      for (const one of asked) {
        const target = targets.get(one.target);
        // Another host of the provider's API is not where the provider is.
        if (target === undefined || target.host !== undefined) continue;
        reached.set(target.provider, one === asked.at(-1) ? gateway.reached : one.status !== undefined);
      }
    },
  };
}
