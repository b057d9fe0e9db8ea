import type { Clock } from "./clock.ts";
import type { FaultproxyEvent } from "./event.ts";
import type {
  ForwardFailure,
  ForwardRequest,
  Identified,
  OpenResponse,
  RequestFacts,
  TlsIdentity,
  WirePiece,
  WireScript,
} from "./exchange.ts";
import type { Gone } from "./gone.ts";
import type { ProviderName } from "./provider.ts";
import type { Rules } from "./rule.ts";

/** Where a provider's requests go. */
export type Target =
  /** Scheme, authority and base path without a trailing slash. */
  | { readonly kind: "url"; readonly base: string; readonly tls?: TlsIdentity }
  | { readonly kind: "simulated" }
  | { readonly kind: "missing"; readonly variable: string };

export type WirePorts = {
  /** What a target that answers so would put on the wire. */
  readonly pieces: (response: OpenResponse, method: string) => AsyncIterable<WirePiece>;
  /** What a target's connection with these bytes comes to. */
  readonly reread: (script: WireScript, method: string, signal: Gone) => Promise<OpenResponse | ForwardFailure>;
};

/** What the pipeline needs from outside; the shell gives it. */
export type Ports = {
  readonly clock: Clock;
  readonly seed: number;
  readonly defaultProvider: ProviderName;
  readonly targets: Readonly<Record<ProviderName, Target>>;
  readonly rules: { readonly get: () => Rules; readonly set: (rules: Rules) => void };
  readonly forward: (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;
  /** For wire faults on the target's side: a response as bytes, and bytes read as a target's. Undefined without raw sockets. */
  readonly wire: WirePorts | undefined;
  readonly simulate: (exchange: Identified, facts: RequestFacts, body: Uint8Array) => OpenResponse | Promise<OpenResponse>;
  /** Undoes content codings; undefined where it cannot, or where more than `bytesMax` come out. */
  readonly withoutContentCoding: (bytes: Uint8Array, contentEncoding: string, bytesMax: number) => Uint8Array | undefined;
  readonly record: (event: FaultproxyEvent) => void;
};
