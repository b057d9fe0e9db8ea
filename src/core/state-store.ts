import type { ProviderName } from "./provider.ts";

/** Whose request it is. Undefined: not known. */
export type Caller = {
  readonly provider: ProviderName;
  readonly model: string | undefined;
  /** The short hash of the client's key; never the key. */
  readonly key: string | undefined;
  readonly user: string | undefined;
};

export const LIMIT_SCOPES = ["global", "provider", "model", "key", "user"] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];
export type LimitMetric = "requests" | "tokens";
export type LimitWindow = "minute" | "day";

/** As they are set; 0 = none. */
export type LimitNumbers = {
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly requestsPerDay: number;
  readonly tokensPerDay: number;
};

/** What a limit comes to while the shared store cannot be asked: its part for one instance, no limit, or nothing passes. */
export const STORE_LOSS_WAYS = ["share", "open", "closed"] as const;
export type StoreLossWay = (typeof STORE_LOSS_WAYS)[number];

/** One limit that a request is held against. */
export type Limit = {
  readonly scope: LimitScope;
  /** Of the scope: the provider's name, the model, the key's hash, the user; empty for `global`. */
  readonly member: string;
  readonly metric: LimitMetric;
  readonly window: LimitWindow;
  /** At most so many within any window; at least 1. */
  readonly limit: number;
  readonly onStoreLoss: StoreLossWay;
};

/** What was taken from limits, to be corrected or given back. */
export type Reservation = {
  readonly limits: readonly Limit[];
  /** Estimated input tokens. */
  readonly tokens: number;
  /** The store's own clock when it was made. */
  readonly atMs: number;
};

export type LimitRefusal = {
  readonly kind: "refused";
  /** The one whose next chance is furthest. */
  readonly limit: Limit;
  readonly remaining: number;
  /** Until the same request could pass, if nobody else asks. */
  readonly retryAfterMs: number;
};

export type LimitVerdict = { readonly kind: "reserved"; readonly reservation: Reservation } | LimitRefusal;

/** A provider, and the model where it is known. */
export type BreakerKey = { readonly provider: ProviderName; readonly model: string | undefined };

/** Leave to ask the target. */
export type BreakerTicket = {
  readonly key: BreakerKey;
  /** Of the circuit when it was given: a late result must not change a newer one. */
  readonly generation: number;
  /** The one request that finds out whether an open circuit can close. */
  readonly isProbe: boolean;
};

export type BreakerVerdict =
  | { readonly kind: "pass"; readonly ticket: BreakerTicket }
  /** With `mode = "log"` the request goes on all the same. */
  | { readonly kind: "refused"; readonly ticket: BreakerTicket; readonly retryAfterMs: number };

/** How the asking ended, for the circuit. `neutral`: it says nothing of the target (the client left, a local rate limit). */
export type BreakerOutcome = "success" | "failure" | "global_rate_limit" | "neutral";

export type CircuitState = "closed" | "open" | "half_open";

export type BreakerView = {
  readonly key: BreakerKey;
  readonly state: CircuitState;
  /** Terminal failures within the window. */
  readonly failures: number;
  /** Wall clock; undefined where it is closed. */
  readonly cooldownUntilWallMs: number | undefined;
};

/** How the store is. */
export type StoreHealth = {
  readonly kind: "memory" | "redis";
  readonly isUp: boolean;
  /** That share the store, this one included; 1 for memory. */
  readonly instances: number;
  /** Why it is away, for people; never a secret. */
  readonly detail: string | undefined;
};

/** The state of limits and circuits: in memory, or shared with other instances. Nothing here throws or rejects. */
export type StateStore = {
  /** Takes one request and `tokens` from every limit, or from none. */
  readonly reserve: (limits: readonly Limit[], tokens: number) => LimitVerdict | Promise<LimitVerdict>;
  /** Puts the real number of input tokens in the place of the estimate, where the reservation still counts. */
  readonly reconcile: (reservation: Reservation, tokens: number) => void;
  /** As if it had never been made. */
  readonly giveBack: (reservation: Reservation) => void;
  readonly admit: (key: BreakerKey) => BreakerVerdict | Promise<BreakerVerdict>;
  /** Gives the ticket for what the same request does from now on: after a probe's success it is an ordinary one of the closed circuit. */
  readonly settle: (ticket: BreakerTicket, outcome: BreakerOutcome) => BreakerTicket;
  readonly breakers: () => Promise<readonly BreakerView[]>;
  /** Closes the circuits of the provider, or of one of its models; undefined: all. Gives how many there were. */
  readonly resetBreaker: (key: BreakerKey | undefined) => Promise<number>;
  /** Opens one for a cooldown. */
  readonly openBreaker: (key: BreakerKey) => Promise<void>;
  readonly health: () => StoreHealth;
  readonly close: () => void;
};

/** What the store tells while it works, for the log, events and metrics. */
export type StoreEvent =
  | {
      readonly kind: "circuit";
      readonly key: BreakerKey;
      readonly from: CircuitState;
      readonly to: CircuitState;
      readonly reason: string;
    }
  | { readonly kind: "store"; readonly isUp: boolean; readonly detail: string };
