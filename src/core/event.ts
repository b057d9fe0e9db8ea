import type { DialectName } from "./dialect.ts";
import type { EndpointKind } from "./exchange.ts";
import type { ProviderName } from "./provider.ts";

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
  readonly kind: EndpointKind;
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
};

export type FaultproxyEvent = DecisionEvent | ExchangeEvent;
