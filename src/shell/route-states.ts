import type { RouteMatchSetting } from "../config/route-settings.ts";
import type { CooldownView } from "../core/cooldown.ts";
import type { CredentialReading, CredentialSource } from "../core/credential.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import type { BreakerView } from "../core/state-store.ts";
import { namedModel } from "../core/visible-name.ts";
import { globMatches } from "../rules/glob.ts";
import { type CircuitSight, worstOf } from "./circuits.ts";
import type { SourceState } from "./credentials/credentials.ts";

/** A route as it was set, and as it is made of that. */
export type SetRoute = { readonly match: RouteMatchSetting; readonly route: Route };

/** How a target of a route is by now. */
export type RouteTargetState = {
  readonly name: string;
  /** Of several models the worst; undefined where there is no breaker. */
  readonly circuit: CircuitSight | undefined;
  /** Of a target that is asked with the keys of its clients the one that ends last. */
  readonly cooldown: Pick<CooldownView, "reason" | "untilWallMs"> | undefined;
  /** Undefined: it has none of its own, or needs none. */
  readonly credential: (SourceState & { readonly kind: CredentialSource["kind"] }) | undefined;
  /** Why no request is carried to it, in a word as `x-faultproxy-attempts` has it; undefined: it can be asked, for some model at least. */
  readonly passedOver: string | undefined;
};

export type RouteState = {
  readonly match: RouteMatchSetting;
  readonly targets: readonly RouteTargetState[];
  /** Is there a target for every model? */
  readonly isServed: boolean;
};

/** What is known of targets beside their settings. */
export type TargetSights = {
  readonly circuits: readonly BreakerView[];
  readonly breaker: "off" | "log" | "enforce";
  readonly cooldowns: readonly CooldownView[];
  readonly read: (source: CredentialSource) => CredentialReading;
  readonly sourceState: (source: CredentialSource) => SourceState | undefined;
};

export type RouteSights = {
  readonly states: readonly RouteState[];
  /** Those of targets of routes, whose place others may take. */
  readonly openCircuits: ReadonlySet<BreakerView>;
};

export function routeSights(routes: readonly SetRoute[], sights: TargetSights): RouteSights {
  const placed = routes.length === 0 ? [] : placedCircuits(routes, sights.circuits);
  const open = placed.filter(({ view }) => view.state === "open");
  return {
    states: routes.map((one) => stateOf(one, placed, sights)),
    openCircuits: new Set(
      open.flatMap((circuit) =>
        routes.some((one) => one.route.targets.some((target) => isOf(circuit, target, one))) ? [circuit.view] : [],
      ),
    ),
  };
}

function stateOf(one: SetRoute, circuits: readonly Placed[], sights: TargetSights): RouteState {
  const sighted = one.route.targets.map((target) => sightOf(target, one, circuits, sights));
  // A target without a model of its own has a circuit for each that clients ask for; undefined stands for all others.
  const models = new Set<string | undefined>([undefined, ...sighted.flatMap(({ openModels }) => [...openModels])]);
  return {
    match: one.match,
    targets: sighted.map(({ state }) => state),
    isServed: [...models].every((model) => sighted.some((sight) => canBeAsked(sight, model))),
  };
}

type Sight = {
  readonly target: RouteTarget;
  readonly state: RouteTargetState;
  /** Whatever the model. */
  readonly isClosedToAll: boolean;
  /** Clients' models for which its circuit is open, empty where the model is unknown; of a target with a model of its own none. */
  readonly openModels: ReadonlySet<string>;
};

function canBeAsked({ isClosedToAll, openModels, target }: Sight, model: string | undefined): boolean {
  return !isClosedToAll && (target.model !== undefined || model === undefined || !openModels.has(model));
}

function sightOf(target: RouteTarget, one: SetRoute, circuits: readonly Placed[], sights: TargetSights): Sight {
  const { breaker, cooldowns } = sights;
  const source = target.to.kind === "simulated" ? undefined : target.credential;
  const reading = source === undefined ? undefined : sights.read(source);
  const state = source === undefined ? undefined : sights.sourceState(source);
  const own = circuits.filter((circuit) => isOf(circuit, target, one));
  const open = breaker === "enforce" ? own.filter(({ view }) => view.state === "open") : [];
  const cooldown = lastOf(cooldowns.filter(({ key }) => key.target === target.name && isOfCredential(key.credential, reading)));
  const closing =
    (target.to.kind === "missing" ? "no_upstream" : undefined) ??
    (reading?.kind === "unusable" ? `credential_${reading.reason}` : undefined) ??
    // What one client's key has met says nothing of another's.
    (cooldown !== undefined && (reading !== undefined || !mayBeOwn(target, one)) ? "cooldown" : undefined) ??
    (target.model !== undefined && open.length > 0 ? "circuit_open" : undefined);
  return {
    target,
    state: {
      name: target.name,
      circuit: breaker === "off" ? undefined : worstOf(own.map(({ view }) => view)),
      cooldown: cooldown === undefined ? undefined : { reason: cooldown.reason, untilWallMs: cooldown.untilWallMs },
      credential: source === undefined || state === undefined ? undefined : { kind: source.kind, ...state },
      passedOver: closing,
    },
    isClosedToAll: closing !== undefined,
    openModels: new Set(target.model === undefined ? open.map(({ model }) => model) : []),
  };
}

type Placed = {
  readonly view: BreakerView;
  /** Empty: unknown. */
  readonly model: string;
  /** Undefined: its provider's usual place. */
  readonly host: string | undefined;
};

/** Circuits of targets elsewhere than at their provider's have the host behind the model. */
function placedCircuits(routes: readonly SetRoute[], circuits: readonly BreakerView[]): readonly Placed[] {
  const hosts = [...new Set(routes.flatMap(({ route }) => route.targets.flatMap(({ host }) => host ?? [])))];
  return circuits.map((view) => {
    const { model = "" } = view.key;
    const host = hosts.find((each) => model.endsWith(`@${each}`));
    return { view, host, model: host === undefined ? model : model.slice(0, -host.length - 1) };
  });
}

/** Is it a circuit of this target? */
function isOf({ view, model, host }: Placed, target: RouteTarget, { match }: SetRoute): boolean {
  if (view.key.provider !== target.provider || host !== target.host) return false;
  if (target.model !== undefined) return model === namedModel(target.model);
  return match.model === undefined || globMatches(match.model, model);
}

/** May it be asked with the key that a client shows? */
function mayBeOwn({ provider }: RouteTarget, { match }: SetRoute): boolean {
  return match.provider === undefined || globMatches(match.provider, provider);
}

/** Cooldowns of a credential that is no longer there are over. */
function isOfCredential(fingerprint: string | undefined, reading: CredentialReading | undefined): boolean {
  return reading === undefined || (reading.kind === "ready" && fingerprint === reading.credential.fingerprint);
}

function lastOf(cooldowns: readonly CooldownView[]): CooldownView | undefined {
  return cooldowns.reduce<CooldownView | undefined>(
    (last, each) => (last === undefined || each.untilWallMs > last.untilWallMs ? each : last),
    undefined,
  );
}
