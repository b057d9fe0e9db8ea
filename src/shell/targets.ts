import type { Settings } from "../config/settings.ts";
import { checkUpstream, withoutCredentials } from "../config/upstream.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type Provider, type ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";

/** Where each provider's requests go: its `upstream`, then `--simulate`, then `{PROVIDER}_REAL_HOST`, then its own host. */
export function targetsOf(
  settings: Pick<Settings, "upstreams" | "simulate">,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<ProviderName, Target>> | InputError {
  const targets: Partial<Record<ProviderName, Target>> = {};
  for (const name of PROVIDER_NAMES) {
    const target = targetOf(PROVIDERS[name], settings, environment);
    if (isInputError(target)) return target;
    targets[name] = target;
  }
  return targets as Record<ProviderName, Target>;
}

function targetOf(
  provider: Provider,
  settings: Pick<Settings, "upstreams" | "simulate">,
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
