import type { Settings, TargetScope, TargetSetting } from "../config/settings.ts";
import { tableOf } from "../config/target-schema.ts";
import { checkUpstream, withoutCredentials } from "../config/upstream.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { Adaptation, Target, TargetManner } from "../core/ports.ts";
import { PROVIDER_NAMES, type Provider, type ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { type ClientIdentity, clientIdentity } from "./client-identity.ts";
import { REAL_CLOCK } from "./real-clock.ts";

export type TargetSettings = Pick<Settings, "upstreams" | "simulate" | "backend" | "targets">;
export type Targets = Readonly<Record<ProviderName, Target>>;

/** Where each provider's requests go: its `upstream`, then `--simulate`, then `{PROVIDER}_REAL_HOST`, then the backend, then its own host. */
export function targetsOf(
  settings: TargetSettings,
  environment: Readonly<Record<string, string | undefined>>,
  warn: (text: string) => void = () => {},
): Targets | InputError {
  const identities = new Map<TargetScope, ClientIdentity>();
  const identityOf = (scope: TargetScope, setting: TargetSetting): ClientIdentity => {
    const identity = identities.get(scope) ?? clientIdentity(tableOf(scope), setting, REAL_CLOCK, warn);
    identities.set(scope, identity);
    return identity;
  };
  const targets: Partial<Record<ProviderName, Target>> = {};
  for (const name of PROVIDER_NAMES) {
    const place = placeOf(PROVIDERS[name], settings, environment);
    if (isInputError(place)) return place;
    const setting = settings.targets[place.scope] ?? {};
    targets[name] = targetOf(place, setting, () => identityOf(place.scope, setting));
  }
  return targets as Targets;
}

type Place = {
  /** The table that says how it is met. */
  readonly scope: TargetScope;
  readonly at:
    | { readonly kind: "url"; readonly base: string }
    | { readonly kind: "simulated" }
    | { readonly kind: "missing"; readonly variable: string };
};

function targetOf({ scope, at }: Place, setting: TargetSetting, identity: () => ClientIdentity): Target {
  if (at.kind === "missing") return at;
  const manner: TargetManner = {
    ...(scope === "backend" ? { isBackend: true } : {}),
    ...(isAdapted(setting) ? { adaptation: adaptationOf(setting) } : {}),
    ...(setting.models === undefined ? {} : { models: setting.models }),
  };
  if (at.kind === "simulated") return { ...at, ...manner };
  const { proxy = "", timeoutMs = 0 } = setting;
  return {
    ...at,
    ...manner,
    // A target without TLS, which may be there for a test only, has no use for a certificate.
    ...(hasIdentity(setting) && at.base.startsWith("https:") ? { identity: identity() } : {}),
    ...(proxy === "" ? {} : { proxy }),
    ...(timeoutMs === 0 ? {} : { timeoutMs }),
  };
}

export function hasIdentity({ certFile, caFile, serverName }: TargetSetting): boolean {
  return certFile !== undefined || caFile !== undefined || serverName !== undefined;
}

function isAdapted({ dialect, model, extraHeaders, extraBody }: TargetSetting): boolean {
  return [dialect, model, extraHeaders, extraBody].some((each) => each !== undefined);
}

function adaptationOf({ dialect, systemMessages, customTools, strict, model, extraHeaders, extraBody }: TargetSetting): Adaptation {
  return {
    dialect,
    systemMessages: systemMessages ?? "input",
    customTools: customTools ?? "function",
    strict: strict ?? false,
    model,
    extraHeaders: extraHeaders ?? {},
    extraBody: extraBody ?? {},
  };
}

function placeOf(
  provider: Provider,
  settings: TargetSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Place | InputError {
  const { name } = provider;
  const upstream = settings.upstreams[name];
  const fromEnvironment = environment[provider.hostVariable] ?? "";
  const isOwn = upstream !== undefined || (fromEnvironment !== "" && !settings.simulate) || settings.backend === undefined;
  const scope = isOwn ? name : "backend";
  if (upstream !== undefined) return placed(scope, upstream, `upstream ${name}`);
  if (settings.simulate) return { scope, at: { kind: "simulated" } };
  if (fromEnvironment !== "") return placed(scope, fromEnvironment, provider.hostVariable);
  if (settings.backend !== undefined) return placed(scope, settings.backend, "backend.endpoint");
  const at =
    provider.host === undefined
      ? ({ kind: "missing", variable: provider.hostVariable } as const)
      : ({ kind: "url", base: provider.host } as const);
  return { scope, at };
}

function placed(scope: TargetScope, text: string, name: string): Place | InputError {
  const at = parseUpstream(text, name);
  return isInputError(at) ? at : { scope, at };
}

/** A base URL, or `simulated`; `name` is where it was written. */
export function parseUpstream(text: string, name: string): Exclude<Place["at"], { kind: "missing" }> | InputError {
  const checked = checkUpstream(text);
  return checked.ok ? checked.value : inputError(`${name}=${withoutCredentials(text)}: expected ${checked.expected}`);
}
