import type { CredentialSource } from "./credential.ts";
import type { DialectName } from "./dialect.ts";
import type { Target } from "./ports.ts";
import type { ProviderName } from "./provider.ts";

/** What becomes of a stream whose target fails after its output has begun. */
export const RESCUES = ["none", "restart", "continue"] as const;
export type Rescue = (typeof RESCUES)[number];

/** One of the places that a route's requests can go to. */
export type RouteTarget = {
  /** Unique in its route: `anthropic/claude-sonnet-4-5`, `openai/gpt-4o@eu.example`, `openai`; with `#2` behind it where that is not unique. */
  readonly name: string;
  readonly provider: ProviderName;
  /** Undefined: the one that the client asks for. */
  readonly model: string | undefined;
  /** What it is asked in; undefined: the client's own where the provider speaks it, else the provider's usual one. */
  readonly dialect: DialectName | undefined;
  /** Where it is. */
  readonly to: Target;
  /** The host of its URL where that is not the provider's usual place; it has a circuit of its own then. */
  readonly host: string | undefined;
  /** Undefined: the client's own, as far as it is for this provider. */
  readonly credential: CredentialSource | undefined;
  /** From the sending of the request to the first output of a stream; 0 = no limit. */
  readonly firstTokenMs: number;
  /** Between two pieces of a body; what only keeps the connection alive is none. 0 = no limit. */
  readonly idleMs: number;
  /** In place of the gateway's own numbers. */
  readonly retries: number | undefined;
  /** Its context window, where the route says it. */
  readonly contextTokens: number | undefined;
  /** Does it go on behind the beginning of an answer? Undefined: as far as is known of its model. */
  readonly acceptsPrefill: boolean | undefined;
};

/** Where requests of one kind go: to the first target that can be asked, and on to the next where it fails. */
export type Route = {
  readonly matches: (request: { readonly provider: ProviderName; readonly model: string | undefined; readonly path: string }) => boolean;
  readonly targets: readonly RouteTarget[];
  /** For the whole search, until a target's output has begun; 0 = no limit. */
  readonly timeoutMs: number;
  readonly rescue: Rescue;
  /** Streams are kept back until they are whole. */
  readonly isBuffered: boolean;
  /** A refusal for its content may go to the next target. */
  readonly passesContentFilter: boolean;
  /** A target that wants to be left alone for longer is not waited for where there is another. */
  readonly waitMsMax: number;
  /** How long a target is left alone that does not say it, and at most. */
  readonly cooldownMs: number;
  readonly cooldownMsMax: number;
  /** The beginning of a stream is held back until its first output, or until it is so much; 0 ms = until its first-token time is over. */
  readonly hold: { readonly framesMax: number; readonly bytesMax: number; readonly msMax: number };
};
