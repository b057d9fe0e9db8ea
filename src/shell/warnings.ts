import type { Settings } from "../config/settings.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { originOf } from "../engines/wire/origin.ts";

/** What was understood and yet will not work as it was meant: one sentence each, without credentials. */
export function warningsOf(
  settings: Pick<Settings, "engine" | "tls" | "headTimeoutMs" | "idleTimeoutMs">,
  targets: Readonly<Record<ProviderName, Target>>,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const ofEngine = settings.engine === "wire" ? unusableProxies(targets, environment) : unusedTimeouts(settings);
  return [...ofEngine, ...unusedCertificates(settings, targets)];
}

function unusedTimeouts({ headTimeoutMs, idleTimeoutMs }: Pick<Settings, "headTimeoutMs" | "idleTimeoutMs">): readonly string[] {
  return headTimeoutMs === 0 && idleTimeoutMs === 0
    ? []
    : ["--head-timeout and --idle-timeout need --engine wire; with serve there is no limit"];
}

/** Such targets are never met without the proxy: it may be there to hide or to watch. */
function unusableProxies(
  targets: Readonly<Record<ProviderName, Target>>,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const hosts = new Map<string, string[]>();
  for (const name of PROVIDER_NAMES) {
    const target = targets[name];
    if (target.kind !== "url") continue;
    const { mistake, authority } = originOf(target.base, target.tls, environment);
    if (mistake !== undefined) hosts.set(mistake, [...(hosts.get(mistake) ?? []), authority]);
  }
  return [...hosts].map(
    ([mistake, found]) => `${mistake}; requests to ${[...new Set(found)].join(", ")} get a 502 (or name them in NO_PROXY)`,
  );
}

function unusedCertificates({ tls }: Pick<Settings, "tls">, targets: Readonly<Record<ProviderName, Target>>): readonly string[] {
  return PROVIDER_NAMES.flatMap((name) => {
    const target = targets[name];
    if (tls[name] === undefined || target.kind !== "url" || target.tls !== undefined) return [];
    return [`providers.${name}: ${target.base} is no https:// address; certificates and server name are not used`];
  });
}
