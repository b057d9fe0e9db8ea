import type { Cooldowns } from "./cooldown.ts";
import type { Credentials } from "./credential.ts";
import type { FailureClass } from "./failure.ts";
import type { ProviderName } from "./provider.ts";
import type { Route } from "./route.ts";
import type { Caller, Limit, StateStore } from "./state-store.ts";
import type { Usage } from "./usage.ts";

/** What of the gateway is on, and what the pipeline needs for it from outside. */
export type Gateway = {
  readonly store: StateStore;
  /** The limits that hold for a request; none where there are no limits at all. */
  readonly limitsOf: (caller: Caller) => readonly Limit[];
  /** Estimated input tokens of a request. */
  readonly estimate: (request: { readonly provider: ProviderName; readonly characters: number; readonly bodyBytes: number }) => number;
  /** Lower-case name of the header field that names the user. */
  readonly userHeader: string;
  readonly retry: RetryManner;
  /** Undefined: off. */
  readonly breaker: BreakerManner | undefined;
  /** Undefined: none are sent. */
  readonly cors: Cors | undefined;
  /** Ask streams for their usage where the client did not. */
  readonly includeUsage: boolean;
  /** The short hash by which a key is told. */
  readonly hashOf: (secret: string) => string;
  /** USD; undefined: unknown. */
  readonly costOf: (of: {
    readonly provider: ProviderName;
    readonly model: string | undefined;
    readonly answeredModel: string | undefined;
    readonly usage: Usage;
  }) => number | undefined;
  /** In the order in which they are looked at. */
  readonly routes: readonly Route[];
  readonly credentials: Credentials;
  readonly cooldowns: Cooldowns;
  /** What `GET /health` answers. */
  readonly health: () => Promise<{ readonly isHealthy: boolean; readonly report: object }>;
  /** What `GET /metrics` answers, in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
};

export type RetryManner = {
  /** 0 = none. */
  readonly maxTransientRetries: number;
  readonly maxRateLimitRetries: number;
  /** Before the first of them; each further one waits twice as long. */
  readonly transientDelayMs: number;
  readonly rateLimitDelayMs: number;
  /** A target that asks for more is not waited for. */
  readonly retryAfterMaxMs: number;
  /** Larger bodies are sent once. */
  readonly bodyBytesMax: number;
};

export type BreakerManner = {
  readonly mode: "log" | "enforce";
  readonly retryContribution: "off" | "log" | "on";
  /** Stands in the text of the degraded answer. */
  readonly degradedSignal: string;
  /** Obey `x-llm-proxy-test-mode`. */
  readonly testMode: boolean;
};

export type Cors = {
  /** Lower case; `*` for any. */
  readonly origins: ReadonlySet<string>;
};

/** One target of a route, and what asking it came to. */
export type Tried = {
  /** The target's name. */
  readonly target: string;
  /** How often it was asked; 0: it was passed over. */
  readonly attempts: number;
  /** Of its last answer; undefined: none came. */
  readonly status: number | undefined;
  /** Undefined: it answered, or it was passed over. */
  readonly failure: FailureClass | undefined;
  /** Why it was passed over, or what broke; a word for people such as `cooldown` or `upstream_timeout`. */
  readonly reason: string | undefined;
  readonly durationMs: number;
};

/** What was seen of an inference request that went through the gateway; filled while it runs. */
export type Observed = {
  readonly caller: Caller;
  readonly stream: boolean;
  attempts: number;
  /** Of the last attempt; undefined: it did not fail. */
  failure: FailureClass | undefined;
  usage: Usage | undefined;
  /** The model that the answer names. */
  answeredModel: string | undefined;
  refusedBy: Limit | undefined;
  /** Of an exchange that took a route: its targets in the order in which they were tried. */
  tried: readonly Tried[];
  /** Whose answer it is, where a route chose the target. */
  answeredBy: { readonly provider: ProviderName; readonly model: string | undefined } | undefined;
  /** Did the target of the last attempt give a response? Undefined: none was asked. */
  wasReached: boolean | undefined;
  /** From the request's arrival to the first output of a streamed answer. */
  firstTokenMs: number | undefined;
};
