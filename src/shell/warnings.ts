import type { Settings } from "../config/settings.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { originOf } from "../engines/wire/origin.ts";
import { refusalText } from "./client-identity.ts";
import { hasIdentity } from "./targets.ts";

/** What was understood and yet will not work as it was meant: one sentence each, without credentials. */
export function warningsOf(
  settings: Pick<Settings, "engine" | "targets" | "headTimeoutMs" | "idleTimeoutMs" | "workers" | "backend" | "simulate">,
  targets: Readonly<Record<ProviderName, Target>>,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const ofEngine = settings.engine === "wire" ? unusableProxies(targets, environment) : unusedTimeouts(settings);
  return [
    ...ofEngine,
    ...unusedCertificates(settings, targets),
    ...unaskedTargets(settings, targets),
    ...missingIdentities(targets),
    ...uselessWorkers(settings),
  ];
}

function unusedTimeouts({ headTimeoutMs, idleTimeoutMs }: Pick<Settings, "headTimeoutMs" | "idleTimeoutMs">): readonly string[] {
  return headTimeoutMs === 0 && idleTimeoutMs === 0
    ? []
    : ["head_timeout and idle_timeout (--head-timeout, --idle-timeout) need the wire engine; with serve there is no limit"];
}

/** Such targets are never met without the proxy: it may be there to hide or to watch. */
function unusableProxies(
  targets: Readonly<Record<ProviderName, Target>>,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const found = new Map<string, { readonly hosts: Set<string>; readonly wayOut: string }>();
  for (const name of PROVIDER_NAMES) {
    const target = targets[name];
    if (target.kind !== "url") continue;
    const { mistake, authority } = originOf(target.base, undefined, environment, target.proxy);
    if (mistake === undefined) continue;
    const wayOut = target.proxy === undefined ? " (or name them in NO_PROXY)" : "";
    const { hosts } = found.get(mistake) ?? { hosts: new Set<string>() };
    found.set(mistake, { hosts: hosts.add(authority), wayOut });
  }
  return [...found].map(([mistake, { hosts, wayOut }]) => `${mistake}; requests to ${[...hosts].join(", ")} get a 502${wayOut}`);
}

function unusedCertificates(
  { targets: settings, backend }: Pick<Settings, "targets" | "backend">,
  targets: Readonly<Record<ProviderName, Target>>,
): readonly string[] {
  const ofProviders = PROVIDER_NAMES.flatMap((name) => {
    const target = targets[name];
    const isUsed = target.kind !== "url" || target.identity !== undefined || target.isBackend === true;
    if (isUsed || settings[name] === undefined || !hasIdentity(settings[name])) return [];
    return [`providers.${name}: ${target.base} is no https:// address; certificates and server name are not used`];
  });
  const isPlain = backend?.toLowerCase().startsWith("http:") === true && settings.backend !== undefined && hasIdentity(settings.backend);
  return [...ofProviders, ...(isPlain ? ["backend: its endpoint is no https:// address; certificates and server name are not used"] : [])];
}

/** What was set for targets that are never asked. */
function unaskedTargets(
  { targets: settings, backend, simulate }: Pick<Settings, "targets" | "backend" | "simulate">,
  targets: Readonly<Record<ProviderName, Target>>,
): readonly string[] {
  if (backend === undefined) return [];
  const goesToBackend = (name: ProviderName) => "isBackend" in targets[name];
  const ofProviders = PROVIDER_NAMES.filter((name) => settings[name] !== undefined && goesToBackend(name)).map(
    (name) => `providers.${name}: its requests go to the backend, and what is set here is not used; give it an upstream of its own`,
  );
  const isNeverAsked = !PROVIDER_NAMES.some(goesToBackend);
  const isHidden = simulate && backend !== "simulated" && !isNeverAsked;
  return [
    ...ofProviders,
    ...(isNeverAsked ? ["backend: every provider has an upstream of its own; the backend is never asked"] : []),
    ...(isHidden ? ["backend: the built-in provider answers in its place (simulate)"] : []),
  ];
}

/** A certificate may come later, with the registration of a machine: requests are refused until it does. */
function missingIdentities(targets: Readonly<Record<ProviderName, Target>>): readonly string[] {
  const details = PROVIDER_NAMES.flatMap((name) => {
    const target = targets[name];
    const identity = target.kind === "url" ? target.identity?.() : undefined;
    return identity !== undefined && "kind" in identity ? [identity.detail] : [];
  });
  return [...new Set(details)].map(refusalText);
}

function uselessWorkers({ workers }: Pick<Settings, "workers">): readonly string[] {
  return workers === 1 ? [] : [`server.workers = ${workers} changes nothing: one process serves all requests at once`];
}
