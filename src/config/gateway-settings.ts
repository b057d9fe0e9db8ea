import type { ProviderName } from "../core/provider.ts";
import type { LimitNumbers, StoreLossWay } from "../core/state-store.ts";
import type { RouteSetting } from "./route-settings.ts";

/** `[[limits.override]]`: exactly one of the four names is there. */
export type LimitOverrideSetting = Partial<LimitNumbers> & {
  readonly provider?: string;
  readonly model?: string;
  /** The key itself, its hash, or a glob of only `*`. */
  readonly key?: string;
  readonly user?: string;
  readonly onStoreLoss?: StoreLossWay;
};

/** `[[cost.price]]`: USD for a million tokens. */
export type PriceSetting = {
  readonly provider?: ProviderName;
  /** A glob. */
  readonly model: string;
  readonly inputPerMillion: number;
  readonly outputPerMillion: number;
  readonly cacheReadPerMillion?: number;
  readonly cacheWritePerMillion?: number;
};

/** Tables of the file that turn a feature on by being there. */
export const FEATURE_TABLES = ["limits", "breaker", "retry", "cors", "cost", "route"] as const;
export type FeatureTable = (typeof FEATURE_TABLES)[number];

/** What can be set of the gateway, and of who may use the proxy. */
export type GatewaySettings = LimitNumbers & {
  /** All features on, as far as nothing else is said of them. */
  readonly gateway: boolean;
  /** Tables of the file in which something is set. */
  readonly featureTables: readonly FeatureTable[];

  readonly limitOverrides: readonly LimitOverrideSetting[];
  readonly onStoreLoss: StoreLossWay;
  /** Lower-case name of the header field that names the user. */
  readonly userHeader: string;
  readonly maxSampleBytes: number;
  readonly bytesPerToken: number;
  readonly charsPerToken: number;
  readonly providerCharsPerToken: Partial<Readonly<Record<ProviderName, number>>>;

  readonly maxTransientRetries: number;
  readonly maxRateLimitRetries: number;
  readonly transientDelayMs: number;
  readonly rateLimitDelayMs: number;
  readonly retryAfterMaxMs: number;
  readonly retryBodyBytesMax: number;

  /** Undefined: `enforce` where the breaker is on otherwise. */
  readonly breakerMode: "off" | "log" | "enforce" | undefined;
  readonly failureThreshold: number;
  readonly windowMs: number;
  readonly cooldownMs: number;
  readonly retryContributionMode: "off" | "log" | "on";
  readonly escalationMs: number;
  readonly degradedSignal: string;
  readonly testMode: boolean;
  /** 0 = no roll-up. */
  readonly providerOpenModels: number;

  /** `*` for any. */
  readonly corsOrigins: readonly string[];

  /** Undefined: the usual place; empty: none. */
  readonly ledgerFile: string | undefined;
  readonly ledgerKeepDays: number;
  /** Undefined: none. */
  readonly ledgerLinesFile: string | undefined;
  readonly includeUsage: boolean;
  readonly prices: readonly PriceSetting[];

  /** `redis://…`; undefined: in memory. */
  readonly stateUrl: string | undefined;
  readonly statePrefix: string;

  /** In their order; the first that matches a request counts. */
  readonly routes: readonly RouteSetting[];

  /** Of the proxy itself; one of them must be shown where there are any. */
  readonly apiKeys: readonly string[];
  /** Anybody who reaches it may use it. */
  readonly open: boolean;
  /** Host names that it serves beside those of this machine; `*` for any. */
  readonly names: readonly string[];
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly streamsMax: number;
};
