import type { Settings } from "../config/settings.ts";
import { checkUpstream, withoutCredentials } from "../config/upstream.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type Provider, type ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { tlsIdentity } from "./tls-identity.ts";

type TargetSettings = Pick<Settings, "upstreams" | "simulate" | "tls">;

/** Where each provider's requests go: its `upstream`, then `--simulate`, then `{PROVIDER}_REAL_HOST`, then its own host. */
export function targetsOf(
  settings: TargetSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<ProviderName, Target>> | InputError {
  const targets: Partial<Record<ProviderName, Target>> = {};
  for (const name of PROVIDER_NAMES) {
    const place = targetOf(PROVIDERS[name], settings, environment);
    const target = isInputError(place) ? place : withIdentity(name, place, settings);
    if (isInputError(target)) return target;
    targets[name] = target;
  }
  return targets as Record<ProviderName, Target>;
}

/** A target without TLS, which may be there for a test only, has no use for a certificate. */
function withIdentity(provider: ProviderName, target: Target, { tls }: TargetSettings): Target | InputError {
  const setting = tls[provider];
  if (setting === undefined || target.kind !== "url" || !target.base.startsWith("https:")) return target;
  const identity = tlsIdentity(provider, setting);
  return isInputError(identity) ? identity : { ...target, tls: identity };
}

function targetOf(
  provider: Provider,
  settings: TargetSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Target | InputError {
  const upstream = settings.upstreams[provider.name];
  if (upstream !== undefined) return parseUpstream(upstream, `upstream ${provider.name}`);
  if (settings.simulate) return { kind: "simulated" };
  const fromEnvironment = environment[provider.hostVariable];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return parseUpstream(fromEnvironment, provider.hostVariable);
  return provider.host === undefined ? { kind: "missing", variable: provider.hostVariable } : { kind: "url", base: provider.host };
}

/** A base URL, or `simulated`; `name` is where it was written. */
export function parseUpstream(text: string, name: string): Target | InputError {
  const checked = checkUpstream(text);
  return checked.ok ? checked.value : inputError(`${name}=${withoutCredentials(text)}: expected ${checked.expected}`);
}
