import { BUILD_INFO } from "../config/build-info.ts";
import type { Settings } from "../config/settings.ts";
import type { DialectName } from "../core/dialect.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import type { Rule, Rules } from "../core/rule.ts";
import type { Daemon } from "./daemon.ts";
import { modeText, modeTitle, ruleText } from "./mode-title.ts";
import { originOf, type Scheme } from "./origin.ts";
import { type RouteStatus, routeStatuses } from "./route-status.ts";
import type { Targets } from "./targets.ts";

/** A rule as the control socket tells it. */
export type RuleStatus = {
  readonly id: string;
  readonly fault: string;
  /** As a command, with what is left of a count. */
  readonly text: string;
  readonly side: "client" | "upstream";
  /** Null where the amount is a share or all. */
  readonly remaining: number | null;
  readonly matched: number;
  readonly fired: number;
};

/** What `GET /v1/status` and every command answer. */
export type Status = {
  readonly version: string;
  readonly pid: number;
  /** Of all TCP ports. */
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
  readonly origin: string;
  /** Where it listens beside that, for people. */
  readonly addresses: readonly string[];
  /** Where requests of all providers without an own upstream go, and what is spoken there; null where that is nowhere. */
  readonly backend: { readonly target: string; readonly dialect: DialectName | null } | null;
  /** Path of the configuration file; null where none was found. */
  readonly config: string | null;
  /** Null where there is no control socket. */
  readonly socket: string | null;
  readonly seed: number;
  readonly engine: string;
  /** The mode as a command; `n` where there is none. */
  readonly mode: string;
  /** The same for people. */
  readonly modeTitle: string;
  /** Kept beside the mode. */
  readonly rules: readonly RuleStatus[];
  readonly requests: number;
  readonly injections: number;
  readonly running: number;
  readonly uptimeSeconds: number;
  /** In the order in which they are looked at. */
  readonly routes: readonly RouteStatus[];
  readonly providers: Readonly<Record<ProviderName, PlainTarget & { readonly port: number | null; readonly dialect: DialectName | null }>>;
};

/** A target without what it takes to be let in. */
type PlainTarget =
  | { readonly kind: "url"; readonly base: string }
  | { readonly kind: "simulated" }
  | { readonly kind: "missing"; readonly variable: string };

/** Without circuits, which a store may have to be asked for: those of the routes' targets are told as closed. */
export function statusOf(daemon: Daemon, settings: Pick<Settings, "engine">, file: string | undefined, socket: string | undefined): Status {
  const { scheme, host, port, seed } = daemon;
  const rules = daemon.rules();
  return {
    version: BUILD_INFO.version,
    pid: process.pid,
    scheme,
    host,
    port,
    origin: originOf(daemon),
    addresses: daemon.addresses,
    backend: backendOf(daemon.targets()),
    config: file ?? null,
    socket: socket ?? null,
    seed,
    engine: settings.engine,
    mode: modeText(rules.mode),
    modeTitle: modeTitle(rules.mode),
    rules: rules.added.map(ruleStatus),
    ...daemon.counts(),
    uptimeSeconds: Math.round((Date.now() - daemon.startedWallMs) / 100) / 10,
    routes: routeStatuses(daemon.routes([])),
    providers: Object.fromEntries(
      PROVIDER_NAMES.map((name) => [
        name,
        { ...plainTarget(daemon.targets()[name]), port: daemon.providerPorts[name] ?? null, dialect: dialectOf(daemon.targets()[name]) },
      ]),
    ) as Status["providers"],
  };
}

function backendOf(targets: Targets): Status["backend"] {
  const target = PROVIDER_NAMES.map((name) => targets[name]).find((each) => each.kind !== "missing" && each.isBackend === true);
  if (target === undefined || target.kind === "missing") return null;
  return { target: target.kind === "url" ? target.base : target.kind, dialect: dialectOf(target) };
}

/** The one dialect that it speaks; null where it is asked in any. */
function dialectOf(target: Target): DialectName | null {
  return target.kind === "missing" ? null : (target.adaptation?.dialect ?? null);
}

/** A private key is told to nobody. */
function plainTarget(target: Target): PlainTarget {
  switch (target.kind) {
    case "url":
      return { kind: target.kind, base: target.base };
    case "simulated":
      return { kind: target.kind };
    case "missing":
      return target;
  }
}

/** The mode, where there is one, and the rules beside it, in the order they are asked. */
export function rulesStatus({ mode, added }: Rules): readonly RuleStatus[] {
  return [...(mode === undefined ? [] : [mode]), ...added].map(ruleStatus);
}

export function ruleStatus(rule: Rule): RuleStatus {
  const { id, fault, side, amount, matched, fired } = rule;
  return { id, fault, text: ruleText(rule), side, remaining: amount.kind === "count" ? amount.remaining : null, matched, fired };
}
