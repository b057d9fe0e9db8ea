import { PROVIDER_KEY_FIELDS } from "../core/access.ts";
import type { CooldownKey } from "../core/cooldown.ts";
import type { Credential } from "../core/credential.ts";
import type { DialectName } from "../core/dialect.ts";
import type { Identified } from "../core/exchange.ts";
import type { Gateway } from "../core/gateway.ts";
import type { HeaderList } from "../core/headers.ts";
import type { Adaptation, Ports, Target } from "../core/ports.ts";
import type { ProviderApi } from "../core/provider.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import type { BreakerKey } from "../core/state-store.ts";
import { namedModel } from "../core/visible-name.ts";
import { PROVIDERS } from "../providers/index.ts";
import { endpointBelow } from "../translate/endpoints.ts";
import { translationBetween } from "../translate/index.ts";
import { isOfForeignPage } from "./helpers/foreign-page.ts";
import type { Waiting } from "./helpers/no-target.ts";

/** The way to one target of a route. */
export type Leg = {
  readonly kind: "leg";
  readonly target: RouteTarget;
  /** The request for it, in the client's dialect still. */
  readonly exchange: Identified;
  readonly adaptation: Adaptation;
  /** As if it were its provider's only target. */
  readonly ports: Ports;
  readonly cooldown: CooldownKey;
  readonly circuit: BreakerKey;
  /** What is lent, so that no answer shows it. */
  readonly secret: string | undefined;
};

/** A target that is not asked. */
export type PassedOver = {
  readonly kind: "passed_over";
  /** A word for people and programs. */
  readonly reason: /** Nobody has said where it is. */
    | "no_upstream"
    | "cooldown"
    | "not_lent"
    | "credential_missing"
    | "credential_unreadable"
    | "credential_expired"
    | "translation_unsupported";
  /** Until it may be asked again, where that is known. */
  readonly waiting?: Waiting;
  /** The client's own key has been refused there; only it can tell the client so. */
  readonly isClientsOwnKey?: boolean;
};

type Asked = {
  readonly exchange: Identified;
  /** The model that the client asks for. */
  readonly model: string | undefined;
  readonly isStream: boolean | undefined;
  /** Short hash of the key that the client shows. */
  readonly clientKey: string | undefined;
};

export function routeOf(exchange: Identified, model: string | undefined, { routes }: Gateway): Route | undefined {
  const { provider, path } = exchange;
  return routes.find(({ matches }) => matches({ provider, model, path }));
}

/** What a target gets of a request, or why it gets nothing. `isLastResort`: it is asked although it is left alone for now. */
export function legOf(asked: Asked, target: RouteTarget, gateway: Gateway, ports: Ports, isLastResort = false): Leg | PassedOver {
  const { exchange, model, isStream, clientKey } = asked;
  const isOwn = target.provider === exchange.provider;
  if (target.to.kind === "missing") return { kind: "passed_over", reason: "no_upstream" };
  const credential = credentialFor(exchange, target, gateway, ports);
  if (credential !== undefined && "reason" in credential) return credential;
  const cooldown = { target: target.name, credential: credential?.fingerprint ?? (isOwn ? clientKey : undefined) };
  const cooling = gateway.cooldowns.of(cooldown);
  if (cooling !== undefined && !isLastResort) {
    const isClientsOwnKey = cooling.reason === "auth" && credential === undefined;
    return { kind: "passed_over", reason: "cooldown", waiting: { leftMs: cooling.leftMs, cooldown: cooling.reason }, isClientsOwnKey };
  }
  const api = apiOf(exchange.dialect, target);
  if (api === undefined) return { kind: "passed_over", reason: "translation_unsupported" };
  const there = addressed(exchange, target, api);
  const wanted = target.model ?? model;
  const name = wanted === undefined ? undefined : namedModel(wanted);
  const adaptation: Adaptation = {
    ...(target.to.adaptation ?? AS_IT_IS),
    // Where nothing is asked in a dialect, nothing is translated.
    dialect: exchange.dialect === undefined ? undefined : api.dialect,
    model: api.dialect === "gemini" ? undefined : target.model,
    namesAnswering: true,
    ...shown(there, credential, isOwn, api.dialect, target),
  };
  const to: Target = isStream === true ? beforeFirstToken({ ...target.to, adaptation }, target) : { ...target.to, adaptation };
  return {
    kind: "leg",
    target,
    exchange: there,
    adaptation,
    ports: { ...ports, targets: { ...ports.targets, [target.provider]: to } },
    cooldown,
    secret: credential?.secret,
    circuit: { provider: target.provider, model: target.host === undefined ? name : `${name ?? ""}@${target.host}` },
  };
}

/** A stream without a head has no output either. */
function beforeFirstToken(to: Exclude<Target, { kind: "missing" }>, { firstTokenMs }: RouteTarget): Target {
  if (firstTokenMs === 0) return to;
  return { ...to, timeoutMs: Math.min(to.timeoutMs || firstTokenMs, firstTokenMs) };
}

const AS_IT_IS: Adaptation = {
  dialect: undefined,
  systemMessages: "input",
  customTools: "function",
  strict: false,
  model: undefined,
  extraHeaders: {},
  extraBody: {},
};

/** Ours, where the target has one; undefined: the client's own. Only this machine and who shows a key of ours get one, and no page of another site. */
function credentialFor(
  exchange: Identified,
  { credential: source, to }: RouteTarget,
  gateway: Gateway,
  ports: Ports,
): Credential | PassedOver | undefined {
  // The built-in provider asks for no key.
  if (source === undefined || to.kind === "simulated") return undefined;
  const isKnown = ports.access.isKey !== undefined || exchange.isLocal?.() === true;
  if (!isKnown || isOfForeignPage(exchange, ports.access)) return { kind: "passed_over", reason: "not_lent" };
  const reading = gateway.credentials.read(source);
  return reading.kind === "ready" ? reading.credential : { kind: "passed_over", reason: `credential_${reading.reason}` };
}

/** In which of its APIs a target is asked: the client's own where it has it, else the first that can be translated to. */
function apiOf(client: DialectName | undefined, { provider, dialect }: RouteTarget): ProviderApi | undefined {
  const { apis } = PROVIDERS[provider];
  const [usual] = apis;
  if (dialect !== undefined) {
    const isReached = client === undefined || client === dialect || translationBetween(client, dialect) !== undefined;
    return isReached ? { dialect, root: apis.find((api) => api.dialect === dialect)?.root ?? usual.root } : undefined;
  }
  if (client === undefined) return usual;
  return apis.find((api) => api.dialect === client) ?? apis.find((api) => translationBetween(client, api.dialect) !== undefined);
}

/** The request with the path that it has at the target; its dialect is the client's still. */
function addressed(exchange: Identified, target: RouteTarget, api: ProviderApi): Identified {
  const { provider, dialect } = exchange;
  const isOwn = target.provider === provider;
  const path = isOwn && (dialect === undefined || dialect === api.dialect) ? exchange.path : pathAt(exchange, api);
  const asked =
    api.dialect === "gemini" && target.model !== undefined
      ? path.replace(MODEL_IN_PATH, `/models/${encodeURIComponent(target.model)}:`)
      : path;
  const query = isOwn && target.credential === undefined ? exchange.query : withoutKey(exchange.query);
  const isSame = isOwn && asked === exchange.path && query === exchange.query;
  return {
    ...exchange,
    provider: target.provider,
    path: asked,
    query,
    upstreamTarget: isSame ? exchange.upstreamTarget : query === "" ? asked : `${asked}?${query}`,
    errorsAs: provider,
  };
}

const MODEL_IN_PATH = /\/models\/[^/:]+:/;

/** The endpoint below the root of the target's API; what has no dialect keeps its own name there. */
function pathAt({ provider, path, dialect }: Identified, api: ProviderApi): string {
  const known = dialect === undefined ? undefined : endpointBelow(api.root, dialect);
  if (known !== undefined) return known;
  const { apis } = PROVIDERS[provider];
  const root = apis.find(({ root }) => path.startsWith(`${root}/`))?.root;
  return root === undefined ? path : api.root + path.slice(root.length);
}

function withoutKey(query: string): string {
  return query
    .split("&")
    .filter((parameter) => !/^key=/i.test(parameter))
    .join("&");
}

/** The fields that show who asks, in place of the client's: what a client shows one provider is for no other. */
function shown(
  { headers }: Identified,
  credential: Credential | undefined,
  isOwn: boolean,
  dialect: DialectName,
  { provider, to }: RouteTarget,
): Pick<Adaptation, "extraHeaders"> {
  const own = to.kind === "missing" ? {} : (to.adaptation?.extraHeaders ?? {});
  const fields: Record<string, string> = {};
  if (credential !== undefined || !isOwn) for (const name of PROVIDER_KEY_FIELDS) fields[name] = "";
  // What an account is called, and what a host has set, goes with its key.
  if (credential !== undefined || !isOwn)
    for (const [name] of headers) if (isOfProvider(name.toLowerCase(), dialect)) fields[name.toLowerCase()] = "";
  const added: HeaderList = [
    ...(PROVIDERS[provider].fieldsFor?.(headers, dialect) ?? []),
    ...(credential === undefined ? [] : PROVIDERS[provider].credentialFields(credential, dialect, headers)),
  ];
  for (const [name, value] of added) fields[name.toLowerCase()] = value;
  return { extraHeaders: { ...fields, ...own } };
}

/** Fields that mean something to one provider, and to others nothing or too much. */
function isOfProvider(name: string, dialect: DialectName): boolean {
  if (name.startsWith("anthropic-")) return dialect !== "messages";
  return /^(?:openai-|x-goog-|chatgpt-)|^cookie$/.test(name);
}
