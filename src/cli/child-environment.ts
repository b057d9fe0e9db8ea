import { isInputError } from "../core/errors.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type Provider, type ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { parseUpstream } from "../shell/targets.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the user's own variables point clients of a provider to. */
export type Kept = {
  readonly provider: ProviderName;
  readonly variable: string;
  /** What takes the place of the provider's host, in the form of `{PROVIDER}_REAL_HOST`. */
  readonly base: string;
};

/** A variable that points a provider's clients somewhere that cannot be forwarded to. */
export type Unusable = { readonly provider: ProviderName; readonly variable: string; readonly mistake: string };

/**
 * A variable that points a provider's clients somewhere is about to point them at us; where it pointed becomes the
 * provider's host, so that the same requests reach the same server. The path that clients expect in the variable
 * (`/v1` in OPENAI_BASE_URL) comes with their requests and is taken off. The first variable of a provider counts.
 */
export function keptUpstreams(environment: Environment): { readonly kept: readonly Kept[]; readonly unusable: readonly Unusable[] } {
  const kept: Kept[] = [];
  const unusable: Unusable[] = [];
  for (const provider of PROVIDER_NAMES) {
    if (isSet(environment, PROVIDERS[provider].hostVariable)) continue;
    const set = expectedPaths(PROVIDERS[provider]).find(([variable]) => isSet(environment, variable));
    if (set === undefined) continue;
    const [variable, path] = set;
    const target = parseUpstream(environment[variable] ?? "", variable);
    if (isInputError(target)) unusable.push({ provider, variable, mistake: target.message });
    else if (target.kind === "url") kept.push({ provider, variable, base: withoutEnd(target.base, path) });
  }
  return { kept, unusable };
}

function isSet(environment: Environment, variable: string): boolean {
  return (environment[variable] ?? "") !== "";
}

/** The environment for targets: kept upstreams stand where `{PROVIDER}_REAL_HOST` would, and yield to the same. */
export function withKeptUpstreams(environment: Environment, kept: readonly Kept[]): Environment {
  return { ...environment, ...Object.fromEntries(kept.map(({ provider, base }) => [PROVIDERS[provider].hostVariable, base])) };
}

/** The variables that lead the child's clients to the proxy. `origins` holds each provider's own. */
export function childVariables(
  environment: Environment,
  kept: readonly Kept[],
  targets: Readonly<Record<ProviderName, Target>>,
  origins: (provider: ProviderName) => string,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of PROVIDER_NAMES) {
    const provider = PROVIDERS[name];
    const keptHere = kept.find((candidate) => candidate.provider === name);
    const target = targets[name];
    const isInForce = keptHere !== undefined && target.kind === "url" && target.base === keptHere.base;
    for (const [variable, value] of provider.clientVariables(origins(name))) {
      const path = new URL(value).pathname.replace(/\/+$/, "");
      const before = environment[variable] ?? "";
      // A client whose variable has no /v1 at its end adds none; the prefix alone leads such requests to the provider.
      const isBare = isInForce && path !== "" && before !== "" && !withoutSlashes(before).endsWith(ownPath(provider, path));
      variables[variable] ??= isBare ? `${origins(name)}/${provider.recognition.prefixes[0]}` : value;
    }
    if (isInForce && keptHere !== undefined) variables[provider.hostVariable] = keptHere.base;
  }
  return variables;
}

/** Beside FAULTPROXY_SOCKET: that path is the surrounding proxy's, to speak to and not to listen on. */
export const SOCKET_OF_RUN = "FAULTPROXY_RUN_SOCKET";

/** By which the command's `faultproxy ctl` finds the proxy that surrounds it. */
export function socketVariables(socket: string | undefined): Record<string, string> {
  return socket === undefined ? {} : { FAULTPROXY_SOCKET: socket, [SOCKET_OF_RUN]: socket };
}

/** For a proxy that is itself started by the command of a `faultproxy run`: it opens a socket of its own. */
export function withoutSocketOfRun(environment: Environment): Environment {
  const { FAULTPROXY_SOCKET: socket, ...others } = environment;
  return socket === environment[SOCKET_OF_RUN] ? others : environment;
}

/** Where the user's clients go through an HTTP proxy, they must not for ours. */
export function withoutHttpProxy(environment: Environment, host: string): Record<string, string> {
  const hasProxy = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].some((variable) => isSet(environment, variable));
  if (!hasProxy) return {};
  const before = environment.no_proxy ?? environment.NO_PROXY ?? "";
  const after = before === "" ? host : `${before},${host}`;
  return { NO_PROXY: after, no_proxy: after };
}

/** The path that a client expects at the end of each variable. */
function expectedPaths(provider: Provider): readonly (readonly [variable: string, path: string])[] {
  return provider
    .clientVariables("http://proxy")
    .map(([variable, value]) => [variable, ownPath(provider, new URL(value).pathname.replace(/\/+$/, ""))]);
}

/** The path without the prefix that is ours. */
function ownPath(provider: Provider, path: string): string {
  const prefix = provider.recognition.prefixes
    .map((name) => `/${name}`)
    .find((candidate) => path === candidate || path.startsWith(`${candidate}/`));
  return prefix === undefined ? path : path.slice(prefix.length);
}

function withoutEnd(base: string, path: string): string {
  return path !== "" && base.endsWith(path) ? base.slice(0, -path.length) : base;
}

function withoutSlashes(text: string): string {
  return text.replace(/\/+$/, "");
}
