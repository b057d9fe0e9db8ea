import { createHash } from "node:crypto";
import { homedir } from "node:os";
import type { LimitOverrideSetting } from "../config/gateway-settings.ts";
import type { Settings } from "../config/settings.ts";
import type { Clock } from "../core/clock.ts";
import type { Cooldowns } from "../core/cooldown.ts";
import type { CredentialSource } from "../core/credential.ts";
import type { FaultproxyEvent } from "../core/event.ts";
import type { Gateway } from "../core/gateway.ts";
import { KEY_HASH, KEY_HASH_DIGITS } from "../core/key-hash.ts";
import type { BreakerView, StateStore, StoreEvent } from "../core/state-store.ts";
import { visibleAscii } from "../core/visible-name.ts";
import { DEGRADED_SIGNAL } from "../policy/degraded-answer.ts";
import { estimateInputTokens } from "../policy/estimate.ts";
import { type LimitOverride, type LimitSettings, limitsOf } from "../policy/limits-of.ts";
import { type CooldownChange, createCooldowns } from "./cooldowns.ts";
import { createPrices, type Prices } from "./cost/prices.ts";
import { createCredentials, type SourceChange } from "./credentials/credentials.ts";
import { healthOf } from "./health.ts";
import { createMetrics } from "./metrics.ts";
import { createRecords, type Records } from "./records.ts";
import type { RouteState } from "./route-states.ts";
import { routesOf } from "./routes.ts";
import { createStateStore } from "./state/state-store.ts";
import type { Targets } from "./targets.ts";
import { createWatchedRoutes } from "./watched-routes.ts";

/** Which features the settings turn on: `gateway` all, a table of the file its own. */
export type Features = {
  /** Is any of them on? */
  readonly isOn: boolean;
  readonly hasLimits: boolean;
  readonly breaker: "off" | "log" | "enforce";
  readonly hasRetries: boolean;
  readonly hasCors: boolean;
  readonly hasCost: boolean;
};

export function featuresOf(settings: Settings): Features {
  const has = (table: Settings["featureTables"][number]) => settings.gateway || settings.featureTables.includes(table);
  // A route without them would ask a target that is down again and again.
  const breaker = settings.breakerMode ?? (has("breaker") || settings.routes.length > 0 ? "enforce" : "off");
  const { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay, limitOverrides } = settings;
  const hasLimits = requestsPerMinute + tokensPerMinute + requestsPerDay + tokensPerDay + limitOverrides.length > 0;
  const features = { breaker, hasLimits, hasRetries: has("retry") || breaker !== "off", hasCors: has("cors"), hasCost: has("cost") };
  // A breaker that is turned off turns nothing on.
  const turnsOn = settings.featureTables.filter((table) => table !== "breaker" || breaker !== "off");
  return { ...features, isOn: settings.gateway || turnsOn.length > 0 || settings.routes.length > 0 };
}

/** What of the gateway outlives a reload: the state of limits and circuits, the ledger, the metrics. */
export type GatewayRuntime = {
  /** Resolves when prices are known, and whether the ledger can be written. */
  readonly ready: () => Promise<void>;
  readonly store: StateStore;
  readonly cooldowns: Cooldowns;
  readonly routeStates: (circuits: readonly BreakerView[]) => readonly RouteState[];
  readonly gatewayOf: (settings: Settings, targets: Targets) => Gateway | undefined;
  readonly note: (event: FaultproxyEvent) => void;
  /** Resolves when the ledger has everything. */
  readonly close: () => Promise<void>;
};

type RuntimeOptions = {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly warn: (text: string) => void;
  readonly tell: (event: StoreEvent) => void;
  readonly tellCooldown: (change: CooldownChange) => void;
  readonly tellCredential: (change: SourceChange) => void;
  readonly running: () => number;
};

export function createGatewayRuntime(options: RuntimeOptions): GatewayRuntime {
  const { settings, environment, clock, warn, tell, running } = options;
  let current = settings;
  let hasCost = featuresOf(settings).hasCost;
  const breaker = {
    get failureThreshold() {
      return current.failureThreshold;
    },
    get windowMs() {
      return current.windowMs;
    },
    get cooldownMs() {
      return current.cooldownMs;
    },
    get escalationMs() {
      return current.escalationMs;
    },
  };
  const store = createStateStore({
    url: settings.stateUrl,
    prefix: settings.statePrefix,
    breaker,
    providerOpenModels: () => current.providerOpenModels,
    clock,
    tell,
  });
  const metrics = createMetrics();
  const cooldowns = createCooldowns(clock, options.tellCooldown);
  const credentials = createCredentials({
    environment,
    platform: process.platform,
    home: homedir(),
    clock,
    warn,
    tell: options.tellCredential,
  });
  const watched = createWatchedRoutes(cooldowns, credentials);
  let prices: Prices = { costUsd: () => undefined };
  let pricesOf: Settings["prices"] | undefined;
  const loadPrices = async (wanted: Settings["prices"]) => {
    pricesOf = wanted;
    prices = await createPrices(wanted);
  };
  let records: Records | undefined;
  const pricesReady = hasCost ? loadPrices(settings.prices) : Promise.resolve();

  const gatewayOf = (now: Settings, targets: Targets): Gateway | undefined => {
    current = now;
    const features = featuresOf(now);
    hasCost = features.hasCost;
    watched.set([], [], "off");
    if (!features.isOn) return undefined;
    if (features.hasCost) {
      // Of a ledger that is open the place stays until the next start.
      records ??= createRecords(now, environment, clock, warn);
      if (pricesOf === undefined || JSON.stringify(pricesOf) !== JSON.stringify(now.prices)) void loadPrices(now.prices);
    }
    const limits = limitSettings(now);
    const ledger = () => (features.hasCost ? records?.health() : undefined);
    const { breaker: mode } = features;
    const routes = routesOf(now, targets);
    watched.set(now.routes, routes, mode);
    // Those that a reload has brought are asked for beside the requests.
    void credentials.ready(sourcesOf(now));
    const { maxTransientRetries, maxRateLimitRetries, transientDelayMs, rateLimitDelayMs, retryAfterMaxMs, retryBodyBytesMax } = now;
    return {
      store,
      limitsOf: (caller) => (features.hasLimits ? limitsOf(limits, caller) : []),
      estimate: (request) => estimateInputTokens(request, now),
      userHeader: now.userHeader.toLowerCase(),
      retry: {
        maxTransientRetries: features.hasRetries ? maxTransientRetries : 0,
        maxRateLimitRetries: features.hasRetries ? maxRateLimitRetries : 0,
        transientDelayMs,
        rateLimitDelayMs,
        retryAfterMaxMs,
        bodyBytesMax: retryBodyBytesMax,
      },
      breaker:
        mode === "off"
          ? undefined
          : {
              mode,
              retryContribution: now.retryContributionMode,
              degradedSignal: now.degradedSignal === "" ? DEGRADED_SIGNAL : now.degradedSignal,
              testMode: now.testMode,
            },
      cors: features.hasCors ? { origins: new Set(now.corsOrigins.map((origin) => origin.toLowerCase())) } : undefined,
      includeUsage: now.includeUsage && (features.hasCost || now.gateway || hasTokenLimits(now)),
      hashOf: keyHash,
      costOf: ({ provider, model, answeredModel, usage }) =>
        prices.costUsd({ provider, model, answeredModel, usage, base: baseOf(targets, provider), wallMs: clock.wallMs() }),
      routes,
      credentials,
      cooldowns,
      health: async () => {
        const circuits = await store.breakers();
        const { reached, sights } = watched;
        return healthOf({ targets, circuits, breaker: mode, store: store.health(), ledger: ledger(), reached, routes: sights(circuits) });
      },
      metrics: async () => {
        const circuits = await store.breakers();
        const routed = { routes: watched.sights(circuits).states, cooldowns: cooldowns.all() };
        // Without the one that asks.
        return metrics.text({ running: running() - 1, circuits, store: store.health(), ledger: ledger(), ...routed });
      },
    };
  };

  return {
    async ready() {
      await Promise.all([pricesReady, records?.ready, credentials.ready(sourcesOf(current))]);
    },
    store,
    cooldowns,
    routeStates: (circuits) => watched.sights(circuits).states,
    gatewayOf,
    note(event) {
      metrics.note(event);
      if (event.type !== "exchange" || event.gateway === undefined) return;
      watched.note(event);
      if (hasCost) records?.add(event);
    },
    async close() {
      store.close();
      credentials.close();
      await records?.close();
    },
  };
}

function sourcesOf({ routes }: Settings): readonly CredentialSource[] {
  return routes.flatMap(({ targets }) => targets.flatMap(({ credential }) => credential ?? []));
}

/** They are told what an answer took. */
function hasTokenLimits({ tokensPerMinute, tokensPerDay, limitOverrides }: Settings): boolean {
  const numbers = [tokensPerMinute, tokensPerDay, ...limitOverrides.flatMap((one) => [one.tokensPerMinute ?? 0, one.tokensPerDay ?? 0])];
  return numbers.some((number) => number > 0);
}

function baseOf(targets: Targets, provider: keyof Targets): string | undefined {
  const target = targets[provider];
  return target.kind === "url" ? target.base : undefined;
}

function limitSettings(settings: Settings): LimitSettings {
  const { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay, onStoreLoss } = settings;
  const overrides = settings.limitOverrides.map(overrideOf);
  return { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay, onStoreLoss, overrides };
}

/** Names are compared in the form in which requests have them. */
function overrideOf({ provider, model, key, user, ...numbers }: LimitOverrideSetting): LimitOverride {
  if (key !== undefined) return { ...numbers, scope: "key", member: key === "*" || KEY_HASH.test(key) ? key : keyHash(key) };
  if (provider !== undefined) return { ...numbers, scope: "provider", member: provider };
  if (model !== undefined) return { ...numbers, scope: "model", member: visibleAscii(model) };
  return { ...numbers, scope: "user", member: visibleAscii(user ?? "*") };
}

/** Keys come with every request, and few of them are different. */
const HASHES_MAX = 10_000;
/** What is longer is no key that anybody was given; fields are of up to 64 KiB and must not fill the memory. */
const REMEMBERED_CHARACTERS_MAX = 512;
const hashes = new Map<string, string>();

export function keyHash(secret: string): string {
  const known = hashes.get(secret);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(secret).digest("hex").slice(0, KEY_HASH_DIGITS);
  if (secret.length > REMEMBERED_CHARACTERS_MAX) return hash;
  if (hashes.size >= HASHES_MAX) hashes.clear();
  hashes.set(secret, hash);
  return hash;
}
