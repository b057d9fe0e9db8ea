import type { Clock } from "./clock.ts";
import type { FaultproxyEvent } from "./event.ts";
import type { ForwardFailure, ForwardRequest, Identified, OpenResponse, RequestFacts } from "./exchange.ts";
import type { ProviderName } from "./provider.ts";
import type { Rules } from "./rule.ts";

/** Where a provider's requests go. */
export type Target =
  /** Scheme, authority and base path without a trailing slash. */
  | { readonly kind: "url"; readonly base: string }
  | { readonly kind: "simulated" }
  | { readonly kind: "missing"; readonly variable: string };

/** What the pipeline needs from outside; the shell gives it. */
export type Ports = {
  readonly clock: Clock;
  readonly seed: number;
  readonly defaultProvider: ProviderName;
  readonly targets: Readonly<Record<ProviderName, Target>>;
  readonly rules: { readonly get: () => Rules; readonly set: (rules: Rules) => void };
  readonly forward: (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;
  readonly simulate: (exchange: Identified, facts: RequestFacts, body: Uint8Array) => OpenResponse | Promise<OpenResponse>;
  /** Undoes content codings; undefined where it cannot, or where more than `bytesMax` come out. */
  readonly withoutContentCoding: (bytes: Uint8Array, contentEncoding: string, bytesMax: number) => Uint8Array | undefined;
  readonly record: (event: FaultproxyEvent) => void;
};
