import type { Via } from "./access.ts";
import type { DialectName } from "./dialect.ts";
import type { Gone } from "./gone.ts";
import type { HeaderList } from "./headers.ts";
import type { ProviderName } from "./provider.ts";

/**
 * A body as it arrives. `read` gives the next chunk, or undefined at its proper end, and throws `BodyCut` when the
 * bytes stop before that. Nothing is read ahead: a reader that waits makes the sender wait.
 */
export type Chunks = {
  readonly read: () => Promise<Uint8Array | undefined>;
  /** Nobody will read on. Idempotent; never throws. */
  readonly cancel: () => void;
  /** All of it, where it has come already and nothing of it has been read; it can be read all the same. */
  readonly atHand?: AtHand;
  /** Its framing says where it ends, so that no cut goes unseen (RFC 9112 section 6.3). */
  readonly isSelfDelimited?: boolean;
};

/** A body that has come as a whole. Its text is cheaper than its bytes, which need an object of their own. */
export type AtHand = {
  /** In bytes, as every place in it. */
  readonly length: number;
  /** As UTF-8. */
  readonly text: () => string;
  /** What stands between two places as Latin-1: cheaper, and as good where nothing but ASCII counts. */
  readonly latin1: (from: number, to: number) => string;
  readonly byteAt: (place: number) => number | undefined;
  readonly bytes: () => Uint8Array;
  readonly has: (part: Uint8Array) => boolean;
  /** Below 0: nowhere. */
  readonly lastIndexOf: (part: Uint8Array) => number;
};

/** How a body stopped before its end: by RST, or by a FIN where more was owed. */
export class BodyCut extends Error {
  constructor(readonly by: "reset" | "close") {
    super(by === "reset" ? "the body was cut by a connection reset" : "the body was cut by an early close");
  }
}

export type Body = Uint8Array | Chunks | null;

/** A request body that can be looked at without being lost to the target. */
export type RequestBody = {
  /** Content-Length, 0 where there is no body, undefined where it is chunked. */
  readonly lengthBytes: number | undefined;
  /** The whole body, or undefined where it is larger than `bytesMax`; `forward` gives the same bytes either way. */
  readonly whole: (bytesMax: number) => Promise<Uint8Array | undefined>;
  /** The same without waiting, where it has come already. */
  readonly atHand?: AtHand;
  /** What goes on to the target: the bytes that came. Called at most once, but for a body at hand. */
  readonly forward: () => Body | Promise<Body>;
};

/** A well-formed request for the data plane. No stage sees more of the connection than this. */
export type Received = {
  /** 1 for the first request of the process. */
  readonly id: number;
  readonly method: string;
  /** Origin-form target: path and query as received (RFC 9112 section 3.2.1). */
  readonly target: string;
  /** Of a target in absolute form, in place of what `Host` says (section 3.2.2). */
  readonly authority: string | undefined;
  readonly via: Via;
  readonly headers: HeaderList;
  readonly body: RequestBody;
  /** The provider whose own port this came in by. */
  readonly listenerProvider: ProviderName | undefined;
  /** Aborted when the client has gone. */
  readonly clientGone: Gone;
  /** Passes an interim response on to the client, without its hop-by-hop fields; undefined where that cannot be done. */
  readonly interim: ((response: Interim) => void) | undefined;
  /** Can the connection become a tunnel after a 101? */
  readonly canUpgrade: boolean;
  /** Does it come from this machine? Undefined: that cannot be told. */
  readonly isLocal?: (() => boolean) | undefined;
};

/** A 1xx response before the final one (RFC 9110 section 15.2). */
export type Interim = { readonly status: number; readonly reason: string; readonly headers: HeaderList };

/** Faults meet `inference` only; the others are always forwarded unless a rule names their path. */
export type EndpointKind = "inference" | "metadata" | "auth";

/** What the body says, read leniently: the wire may send anything. */
export type RequestFacts = {
  readonly model: string | undefined;
  readonly stream: boolean;
  /** The conversation, where the client names one. */
  readonly session: string | undefined;
  /** The end user, as the client names one to the provider; without what names only a session. */
  readonly user: string | undefined;
  /** All text for the model. */
  readonly inputCharacters: number;
  /** Estimated from the text, four characters a token. */
  readonly inputTokens: number;
  /** The output limit that the request sets. */
  readonly outputTokensMax: number | undefined;
  /** Names of the offered tools, in order. */
  readonly tools: readonly string[];
  /** The text of the last user turn. */
  readonly prompt: string;
  /** The last turn is a tool's result. */
  readonly afterToolResult: boolean;
  /** Chat Completions `stream_options.include_usage`; true in the other dialects, which always send usage. */
  readonly usageInStream: boolean;
};

export type Identified = Received & {
  readonly provider: ProviderName;
  readonly dialect: DialectName | undefined;
  readonly kind: EndpointKind;
  /** Path and query for the target: the received ones without our prefix. */
  readonly upstreamTarget: string;
  /** `upstreamTarget` without its query, and with a plain colon where it was encoded. */
  readonly path: string;
  /** `upstreamTarget` behind its path, without the question mark. */
  readonly query: string;
  readonly receivedMonotonicMs: number;
  /** In whose shape our own errors are, where that is not `provider`: a route may lead to another one's target. */
  readonly errorsAs?: ProviderName;
};

/** A response whose head has come. */
export type OpenResponse = {
  readonly status: number;
  /** Undefined: the standard phrase. */
  readonly reason: string | undefined;
  readonly headers: HeaderList;
  readonly body: Body;
  /** With a 101: the connection to the target, for the engine that made it. */
  readonly tunnel?: unknown;
};

/** Why no response came. Named in `x-faultproxy-error`. */
export type ForwardFailure = {
  readonly kind: "failure";
  readonly reason:
    | "no_upstream"
    | "upstream_refused"
    | "upstream_dns"
    | "upstream_tls"
    | "upstream_closed_early"
    | "upstream_timeout"
    | "upstream_protocol"
    | "client_certificate"
    /** The request said how long it may take. */
    | "time_budget"
    /** The client sent more than it may. */
    | "request_too_large"
    | "client_gone";
  /** One sentence for people; never a secret, never a query string. */
  readonly detail: string;
};

/** As whom a target is met. Connections of different identities (compared as objects) are never shared. */
export type TlsIdentity = {
  /** PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** PEM; in place of the system's. */
  readonly ca?: string;
  /** In place of the target's host name, for SNI and for the certificate. */
  readonly serverName?: string;
  /** Path of the certificate's file, for messages. */
  readonly certFile?: string;
};

export type ForwardRequest = {
  readonly method: string;
  /** Scheme and authority of the target, and a base path without a trailing slash, or an empty one. */
  readonly base: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Body;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: Gone;
  readonly interim: ((response: Interim) => void) | undefined;
  /** The protocol that the client asks to go over to (RFC 9110 section 7.8), where it may. */
  readonly upgrade: string | undefined;
  readonly tls: TlsIdentity | undefined;
  /** URL of an HTTP proxy, in place of what the environment says. */
  readonly proxy: string | undefined;
};

/** How the sending of a response ended; told exactly once for each response. */
export type DeliveryEnd =
  | "complete"
  | "cut"
  /** The client left while it was being sent. */
  | "client_gone"
  /** The client had left before a byte was sent. */
  | "unsent";

/** One part of a response as it goes on the wire; `end` is the last chunk and what follows it, or nothing. */
export type WirePiece = {
  readonly part: "head" | "body" | "end";
  readonly bytes: Uint8Array;
  /** Of a body: the bytes without chunk framing. */
  readonly payload: Uint8Array;
};

/** What goes out in place of a response's own bytes, step by step. The promise of a step that never comes is a connection that hangs. */
export type WireScript = {
  readonly next: () => Promise<WireStep>;
  /** Nobody needs the rest. */
  readonly cancel: () => void;
};

export type WireStep =
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  /** The response is whole; the connection goes on as it would. */
  | { readonly kind: "complete" }
  /** FIN; `half_close` leaves the connection open for what the client sends. */
  | { readonly kind: "close" | "half_close" }
  /** RST. */
  | { readonly kind: "reset" };

/** What the engine does towards the client. */
export type Delivery =
  | {
      readonly kind: "response";
      readonly response: OpenResponse;
      /** Makes other bytes of those that the response would be. */
      readonly damage: ((pieces: AsyncIterable<WirePiece>) => WireScript) | undefined;
      readonly done: (how: DeliveryEnd) => void;
    }
  /** No response at all, but these bytes. */
  | { readonly kind: "bytes"; readonly script: WireScript; readonly done: (how: DeliveryEnd) => void }
  /** No byte, connection open until the client leaves. */
  | { readonly kind: "hang"; readonly done: () => void }
  /** RST before any byte. */
  | { readonly kind: "reset" }
  /** FIN before any byte. */
  | { readonly kind: "close" };
