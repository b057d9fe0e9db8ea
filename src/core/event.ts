import type { DialectName } from "./dialect.ts";
import type { EndpointKind } from "./exchange.ts";
import type { FailureClass } from "./failure.ts";
import type { Tried } from "./gateway.ts";
import type { ProviderName } from "./provider.ts";
import type { CircuitState, Limit } from "./state-store.ts";
import type { Usage } from "./usage.ts";

/** One rule's decision on one exchange. */
export type DecisionEvent = {
  readonly type: "decision";
  /** RFC 3339. */
  readonly time: string;
  readonly exchange: number;
  readonly provider: ProviderName;
  readonly dialect: DialectName | null;
  readonly method: string;
  /** Without the query, which may hold a key. */
  readonly path: string;
  readonly model: string | null;
  readonly rule: string;
  readonly fault: string;
  /** The number drawn against a share, in [0, 1); null where the amount is a count or all. */
  readonly drawn: number | null;
  readonly injected: boolean;
};

/** What became of an exchange towards the client. */
export type DoneWord = "delivered" | "cut" | "client_gone" | "hang" | "reset" | "close";

export type Skipped = { readonly fault: string; readonly reason: string };

/** How an exchange ended. */
export type ExchangeEvent = {
  readonly type: "exchange";
  readonly time: string;
  readonly exchange: number;
  readonly provider: ProviderName;
  readonly dialect: DialectName | null;
  /** `page`: one of our own. */
  readonly kind: EndpointKind | "page";
  readonly method: string;
  readonly path: string;
  readonly model: string | null;
  /** Null where no status was sent. */
  readonly status: number | null;
  readonly done: DoneWord;
  readonly faults: readonly string[];
  /** Faults that found nothing they could act on, and why. */
  readonly skipped: readonly Skipped[];
  /** The reason in `x-faultproxy-error` where the answer is our own. */
  readonly error: string | null;
  readonly durationMs: number;
  /** Of inference requests while the gateway is on. */
  readonly gateway?: GatewayFacts | undefined;
};

/** What the gateway knows of an exchange. Null: not known. */
export type GatewayFacts = {
  readonly stream: boolean;
  /** How often a target was asked. */
  readonly attempts: number;
  /** Of the last attempt, where it failed. */
  readonly failure: FailureClass | null;
  readonly answeredModel: string | null;
  readonly firstTokenMs: number | null;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  /** Short hash of the client's key. */
  readonly key: string | null;
  readonly user: string | null;
  /** Did the target give a response the last time it was asked? Null: it was not asked. */
  readonly reached: boolean | null;
  /** Of an exchange that took a route: the provider whose answer it is; null: no route, or no answer. */
  readonly answeredBy: ProviderName | null;
  /** The targets of its route in the order in which they were tried; none without a route. */
  readonly tried: readonly Tried[];
  /** The limit that refused it. */
  readonly limit: Pick<Limit, "scope" | "metric" | "window"> | null;
};

/** A target that failed is asked again, or would be were it not too late. */
export type RetryEvent = {
  readonly type: "retry";
  readonly time: string;
  readonly exchange: number;
  readonly provider: ProviderName;
  readonly model: string | null;
  /** What its route calls it; null: there is no route. */
  readonly target: string | null;
  /** The one that failed; 1 for the first of this target. */
  readonly attempt: number;
  readonly class: FailureClass;
  /** Null where no response came. */
  readonly status: number | null;
  readonly waitMs: number;
};

/** An answer came after failures that retries made good, and the settings want to know. */
export type HealedEvent = {
  readonly type: "healed";
  readonly time: string;
  readonly exchange: number;
  readonly provider: ProviderName;
  readonly model: string | null;
  readonly failures: number;
  /** For the circuit. */
  readonly counted: boolean;
};

/** A circuit went from one state to another. */
export type CircuitEvent = {
  readonly type: "circuit";
  readonly time: string;
  readonly provider: ProviderName;
  readonly model: string | null;
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly reason: string;
};

/** A target of a route has failed, and the next one is asked. */
export type FailoverEvent = {
  readonly type: "failover";
  readonly time: string;
  readonly exchange: number;
  /** Names of targets. */
  readonly from: string;
  readonly to: string;
  readonly class: FailureClass | null;
  /** Null where no response came. */
  readonly status: number | null;
  /** Had output gone to the client already? */
  readonly isRescue: boolean;
};

/** A target of routes is left alone from now on, or may be asked again. */
export type CooldownEvent = {
  readonly type: "cooldown";
  readonly time: string;
  readonly target: string;
  /** Null: it is over. */
  readonly class: FailureClass | null;
  readonly forMs: number | null;
};

/** What a source of credentials gives has changed. */
export type CredentialEvent = {
  readonly type: "credential";
  readonly time: string;
  /** Such as `env OPENAI_API_KEY`; never the credential. */
  readonly source: string;
  readonly state: "ready" | "missing" | "unreadable" | "expired";
  readonly detail: string | null;
};

/** The shared store went away or came back. */
export type StoreEvent = { readonly type: "store"; readonly time: string; readonly isUp: boolean; readonly detail: string };

export type FaultproxyEvent =
  | DecisionEvent
  | ExchangeEvent
  | RetryEvent
  | HealedEvent
  | CircuitEvent
  | FailoverEvent
  | CooldownEvent
  | CredentialEvent
  | StoreEvent;
