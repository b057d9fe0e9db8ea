import type { RouteMatchSetting } from "../config/route-settings.ts";
import type { CooldownView } from "../core/cooldown.ts";
import type { CredentialReading, CredentialSource } from "../core/credential.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import type { BreakerKey, BreakerView } from "../core/state-store.ts";
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
  /** Those of targets of routes: while one of them is open, others may take its place. */
  readonly circuits: ReadonlySet<BreakerView>;
};

export function routeSights(routes: readonly SetRoute[], sights: TargetSights): RouteSights {
  const hosts = hostsOf(routes);
  const isOfRoute = ({ key }: BreakerView) =>
    routes.some((one) => one.route.targets.some((target) => modelIn(key, target, one, hosts) !== undefined));
  return {
    states: routes.map((one) => stateOf(one, hosts, sights)),
    circuits: new Set(routes.length === 0 ? [] : sights.circuits.filter(isOfRoute)),
  };
}

function stateOf(one: SetRoute, hosts: readonly string[], sights: TargetSights): RouteState {
  const sighted = one.route.targets.map((target) => sightOf(target, one, hosts, sights));
  // A target without a model of its own has a circuit for each that clients ask for; undefined stands for all others.
  const models = new Set<string | undefined>([undefined, ...sighted.flatMap(({ openModels }) => openModels)]);
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
  readonly openModels: readonly string[];
};

function canBeAsked({ isClosedToAll, openModels, target }: Sight, model: string | undefined): boolean {
  return !isClosedToAll && (target.model !== undefined || model === undefined || !openModels.includes(model));
}

function sightOf(target: RouteTarget, one: SetRoute, hosts: readonly string[], sights: TargetSights): Sight {
  const { circuits, breaker, cooldowns } = sights;
  const source = target.to.kind === "simulated" ? undefined : target.credential;
  const reading = source === undefined ? undefined : sights.read(source);
  const state = source === undefined ? undefined : sights.sourceState(source);
  const own = circuits.flatMap((view) => {
    const model = modelIn(view.key, target, one, hosts);
    return model === undefined ? [] : [{ view, model }];
  });
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
    openModels: target.model === undefined ? open.map(({ model }) => model) : [],
  };
}

/** Is it a circuit of this target, and then of which model? Empty: unknown. */
function modelIn(key: BreakerKey, target: RouteTarget, { match }: SetRoute, hosts: readonly string[]): string | undefined {
  const { model: name = "" } = key;
  const host = hosts.find((each) => name.endsWith(`@${each}`));
  if (key.provider !== target.provider || host !== target.host) return undefined;
  const model = host === undefined ? name : name.slice(0, -host.length - 1);
  if (target.model !== undefined) return model === namedModel(target.model) ? model : undefined;
  return match.model === undefined || globMatches(match.model, model) ? model : undefined;
}

/** Of targets elsewhere than at their provider's, whose circuits are told by them. */
function hostsOf(routes: readonly SetRoute[]): readonly string[] {
  return [...new Set(routes.flatMap(({ route }) => route.targets.flatMap(({ host }) => host ?? [])))];
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
