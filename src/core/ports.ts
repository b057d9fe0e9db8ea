import type { Access } from "./access.ts";
import type { Clock } from "./clock.ts";
import type { DialectName } from "./dialect.ts";
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
import type { Gateway } from "./gateway.ts";
import type { Gone } from "./gone.ts";
import type { ProviderName } from "./provider.ts";
import type { Rules } from "./rule.ts";

/** Where a provider's requests go. */
export type Target =
  | (TargetManner & {
      readonly kind: "url";
      /** Scheme, authority and base path without a trailing slash. */
      readonly base: string;
      /** As whom it is met, as it is by now: certificates are renewed. Undefined: as anybody. */
      readonly identity?: () => TlsIdentity | ForwardFailure;
      /** URL of an HTTP proxy, in place of what the environment says. */
      readonly proxy?: string;
    })
  | (TargetManner & { readonly kind: "simulated" })
  | { readonly kind: "missing"; readonly variable: string };

/** How a target is asked. */
export type TargetManner = {
  /** The backend in every provider's place: its base is the root of its API, where a provider's is that of its host. */
  readonly isBackend?: boolean;
  readonly adaptation?: Adaptation;
  /** Until the head of its response, from the beginning. */
  readonly timeoutMs?: number;
  /** What it is said to have, without asking it. */
  readonly models?: readonly string[];
};

/** What is changed in inference requests for a target. */
export type Adaptation = {
  /** What it speaks; requests in another dialect are translated. Undefined: whatever it is asked in. */
  readonly dialect: DialectName | undefined;
  readonly systemMessages: "drop" | "instructions" | "input";
  /** Custom tools of Responses clients before Chat Completions. */
  readonly customTools: "function" | "custom";
  /** Refuse what cannot be expressed, where it would be left out and named. */
  readonly strict: boolean;
  /** One for all, or by the name asked for (`*`: any other); `""` leaves it out. Undefined: as asked. */
  readonly model: string | Readonly<Record<string, string>> | undefined;
  /** Answers name the model that gave them, also where they are translated. */
  readonly namesAnswering?: boolean;
  /** An empty value takes the field away. */
  readonly extraHeaders: Readonly<Record<string, string>>;
  readonly extraBody: Readonly<Record<string, unknown>>;
};

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
  readonly access: Access;
  readonly targets: Readonly<Record<ProviderName, Target>>;
  readonly rules: { readonly get: () => Rules; readonly set: (rules: Rules) => void };
  readonly forward: (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;
  /** For wire faults on the target's side: a response as bytes, and bytes read as a target's. Undefined without raw sockets. */
  readonly wire: WirePorts | undefined;
  readonly simulate: (exchange: Identified, facts: RequestFacts, body: Uint8Array) => OpenResponse | Promise<OpenResponse>;
  /** Undoes content codings; undefined where it cannot, or where more than `bytesMax` come out. */
  readonly withoutContentCoding: (bytes: Uint8Array, contentEncoding: string, bytesMax: number) => Uint8Array | undefined;
  readonly record: (event: FaultproxyEvent) => void;
  /** Undefined: nothing of it is on. */
  readonly gateway: Gateway | undefined;
};
