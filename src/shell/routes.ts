import { ROUTE_DEFAULTS, ROUTE_TARGET_DEFAULTS, type RouteSetting, type RouteTargetSetting } from "../config/route-settings.ts";
import type { Settings, TargetSetting } from "../config/settings.ts";
import { checkUpstream } from "../config/upstream.ts";
import type { Target, TargetManner } from "../core/ports.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import { PROVIDERS } from "../providers/index.ts";
import { globMatches } from "../rules/glob.ts";
import type { Targets } from "./targets.ts";

/** The routes of the settings, with the place and the manner of each target. */
export function routesOf({ routes, targets: settings }: Pick<Settings, "routes" | "targets">, targets: Targets): readonly Route[] {
  return routes.map((route) => {
    const names = new Map<string, number>();
    const hold = { ...ROUTE_DEFAULTS.hold, ...route.hold };
    return {
      matches: matcherOf(route.match),
      targets: route.targets.map((target) => routeTarget(target, nameOf(target, names), settings[target.provider] ?? {}, targets)),
      timeoutMs: route.timeoutMs ?? ROUTE_DEFAULTS.timeoutMs,
      rescue: route.rescue ?? ROUTE_DEFAULTS.rescue,
      isBuffered: route.buffer ?? ROUTE_DEFAULTS.buffer,
      passesContentFilter: (route.contentFilter ?? ROUTE_DEFAULTS.contentFilter) === "next",
      waitMsMax: route.maxWaitMs ?? ROUTE_DEFAULTS.maxWaitMs,
      cooldownMs: route.cooldownMs ?? ROUTE_DEFAULTS.cooldownMs,
      cooldownMsMax: route.cooldownMaxMs ?? ROUTE_DEFAULTS.cooldownMaxMs,
      hold: { framesMax: hold.frames, bytesMax: hold.bytes, msMax: hold.ms },
    };
  });
}

function matcherOf({ provider, model, path }: RouteSetting["match"]): Route["matches"] {
  return (request) =>
    (provider === undefined || globMatches(provider, request.provider)) &&
    (model === undefined || globMatches(model, request.model ?? "")) &&
    (path === undefined || globMatches(path, request.path));
}

/** What people call it: where it is and what it is asked for, and its number where another of the route is called so. */
function nameOf({ provider, url, model }: RouteTargetSetting, names: Map<string, number>): string {
  const place = url === undefined ? undefined : hostOf(url);
  const name = `${provider}${model === undefined ? "" : `/${model}`}${place === undefined ? "" : `@${place}`}`;
  const number = (names.get(name) ?? 0) + 1;
  names.set(name, number);
  return number === 1 ? name : `${name}#${number}`;
}

function hostOf(url: string): string {
  const checked = checkUpstream(url);
  return checked.ok && checked.value.kind === "url" ? new URL(checked.value.base).host : url;
}

function routeTarget(setting: RouteTargetSetting, name: string, own: TargetSetting, targets: Targets): RouteTarget {
  const { provider, url, model, dialect, credential, retries, contextWindow, prefill } = setting;
  return {
    name,
    provider,
    model,
    dialect: dialect ?? own.dialect,
    to: placeOf(setting, targets[provider]),
    host: url === undefined ? undefined : hostOf(url),
    credential,
    firstTokenMs: setting.firstTokenTimeoutMs ?? ROUTE_TARGET_DEFAULTS.firstTokenTimeoutMs,
    idleMs: setting.idleTimeoutMs ?? ROUTE_TARGET_DEFAULTS.idleTimeoutMs,
    retries,
    contextTokens: contextWindow,
    acceptsPrefill: prefill,
  };
}

/** Where it is: at the URL of its own, else where the provider's requests go anyway. */
function placeOf({ provider, url, timeoutMs: set }: RouteTargetSetting, usual: Target): Target {
  const isUrl = usual.kind === "url";
  const timeoutMs = set ?? (isUrl ? usual.timeoutMs : undefined) ?? ROUTE_TARGET_DEFAULTS.timeoutMs;
  if (url === undefined) return usual.kind === "missing" ? usual : { ...usual, timeoutMs };
  const { isBackend: _usual, ...manner }: TargetManner = usual.kind === "missing" ? {} : mannerOf(usual);
  const checked = checkUpstream(url);
  if (!checked.ok || checked.value.kind === "simulated") return { kind: "simulated", ...manner, timeoutMs };
  const { base, isBackend } = apiBase(checked.value.base, provider);
  // A certificate of ours is for the place that it was set for.
  return {
    kind: "url",
    base,
    ...manner,
    ...(isBackend ? { isBackend } : {}),
    ...(isUrl && usual.proxy !== undefined ? { proxy: usual.proxy } : {}),
    timeoutMs,
  };
}

function mannerOf({ adaptation, models }: TargetManner): TargetManner {
  return { ...(adaptation === undefined ? {} : { adaptation }), ...(models === undefined ? {} : { models }) };
}

const VERSION_AT_END = /\/v\d+(?:(?:alpha|beta)\d*)?(?:\/openai)?$/;

/** People write the root of an API as in a client's base URL, `https://gateway.example/v1`, or the host that it is on. */
function apiBase(base: string, provider: ProviderName): { readonly base: string; readonly isBackend: boolean } {
  if (VERSION_AT_END.test(base)) return { base, isBackend: true };
  const root = PROVIDERS[provider].apis.map((api) => api.root).find((each) => base.endsWith(each));
  return { base: root === undefined ? base : base.slice(0, -root.length), isBackend: false };
}
