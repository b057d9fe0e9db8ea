import type { Credential } from "./credential.ts";
import type { DialectName } from "./dialect.ts";
import type { EndpointKind } from "./exchange.ts";
import type { Framing } from "./frame.ts";
import type { HeaderList } from "./headers.ts";
import type { Random } from "./random.ts";

export const PROVIDER_NAMES = ["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

/**
 * How sure the wire form is. F: fixture, specification or well-known client test. C: captured traffic in public.
 * D: the provider's documentation. S: the shape is certain, the text is illustrative. U: unverified.
 */
export type Evidence = "F" | "C" | "D" | "S" | "U";

export const HTTP_FAULT_NAMES = [
  "context_length",
  "rate_limit",
  "server_error",
  "overloaded",
  "auth",
  "permission",
  "quota",
  "model_not_found",
  "content_filter",
  "request_too_large",
  "timeout",
  "bad_gateway",
] as const;
export type HttpFaultName = (typeof HTTP_FAULT_NAMES)[number];

/** What an error text may speak of. Every value is set; those the request does not tell are typical ones. */
export type ErrorContext = {
  readonly model: string;
  readonly path: string;
  /** Of the answer that was asked for; the bytes of an element of a JSON array differ from those of an event. */
  readonly framing: Framing["name"];
  readonly dialect: DialectName | undefined;
  /** The request's estimate; above `contextTokensMax` where the error is about exceeding it. */
  readonly inputTokens: number;
  readonly outputTokensMax: number;
  /** The context window of the model, from its name where known. */
  readonly contextTokensMax: number;
  /** Seconds until a retry makes sense; may be fractional. */
  readonly retryAfterSeconds: number;
  /** The client's key, masked as the provider masks it in its texts; never the key itself. */
  readonly maskedKey: string;
  readonly wallMs: number;
  /** For request ids and the like. */
  readonly random: Random;
};

export type ErrorFacts = ErrorContext & {
  /** The status that is sent; `status=` can differ from the entry's. */
  readonly status: number;
  /** From `message=`: takes the place of the text in every form that has one. */
  readonly message: string | undefined;
};

/** One provider-exact error answer. */
export type ErrorEntry = {
  /** Chosen by `variant=`; the first entry of a fault is its default, but for those of a `dialect`. */
  readonly variant: string;
  readonly status: number;
  readonly evidence: Evidence;
  /** Where the form was seen. */
  readonly source: string;
  /** A value is sent as JSON, a string as it stands. */
  readonly body: (facts: ErrorFacts) => unknown;
  /** Replaces `provider.errorHeaders`; gets `content-type` too. */
  readonly headers?: (facts: ErrorFacts) => HeaderList;
  /** Set to false where the provider sends no retry hint with this error even though its status is one that has it. */
  readonly retryHint?: boolean;
  /** The default where the request came in this dialect. */
  readonly dialect?: DialectName;
  /** An answer without output rather than an error: where a stream was asked for, it is one frame of it. */
  readonly isAnswer?: boolean;
};

export type ErrorCatalogue = Readonly<Record<HttpFaultName, readonly [ErrorEntry, ...ErrorEntry[]]>>;

export type StreamErrorFacts = ErrorFacts & {
  /** The number of frames before. */
  readonly index: number;
  /** The payload of the stream's first frame, where one came: an error that names the answer repeats its id. */
  readonly firstData?: string | undefined;
};

/** An error inside a 200 stream. */
export type StreamErrorEntry = {
  readonly variant: string;
  readonly evidence: Evidence;
  readonly source: string;
  /**
   * The bytes as text, exactly as they stand in the stream, in place of what would have followed: with the blank line of
   * an event, with the bracket or comma before an element; without the framing's trailer.
   */
  readonly text: (facts: StreamErrorFacts) => string;
  /** The stream's own terminator follows where the provider sends it after an error (Chat Completions `[DONE]`). */
  readonly done: boolean;
};

export type Recognition = {
  /** Path prefixes that name the provider and are removed, without slashes. */
  readonly prefixes: readonly string[];
  /** Lower-case header names that only this provider's clients send. */
  readonly headers: readonly string[];
  /** Query parameters that only this provider's clients send. */
  readonly query: readonly string[];
  readonly paths: readonly RegExp[];
  /** Beginnings of this provider's keys, as in `Authorization: Bearer sk-or-…`. */
  readonly keyPrefixes: readonly string[];
};

/** A path without a trailing slash, such as `/v1`. */
export type ProviderApi = { readonly dialect: DialectName; readonly root: string };

export type Provider = {
  readonly name: ProviderName;
  readonly title: string;
  readonly recognition: Recognition;
  /** `https://…` without a trailing slash; undefined where every customer has an own host. */
  readonly host: string | undefined;
  /** Overrides `host`. */
  readonly hostVariable: string;
  /** Named in error texts where the request names no model. */
  readonly usualModel: string;
  /** A few well-known ones, for the built-in provider's list; it takes any other name as well. */
  readonly models: readonly string[];
  /** Variables that clients read to find the provider, in the order they are printed, given our own origin (`http://127.0.0.1:8888`). */
  readonly clientVariables: (origin: string) => readonly (readonly [name: string, value: string])[];
  /** What a request to this path is; undefined: inference where it is a POST, else metadata. */
  readonly kindOf: (path: string) => EndpointKind | undefined;
  /** What it speaks, the usual one first, and where the API of each begins. */
  readonly apis: readonly [ProviderApi, ...ProviderApi[]];
  /** The header fields that show it a credential. */
  readonly credentialFields: (
    credential: Pick<Credential, "kind" | "secret">,
    dialect: DialectName,
    /** Those that the request has. */
    headers: HeaderList,
  ) => HeaderList;
  /** What its API must be told and a client of another one's does not say; undefined: nothing. */
  readonly fieldsFor?: (headers: HeaderList, dialect: DialectName) => HeaderList;
  readonly errors: ErrorCatalogue;
  /** The content type, request id and limit headers that go with every error of this provider. */
  readonly errorHeaders: (facts: ErrorFacts, entry: ErrorEntry) => HeaderList;
  /** Forms that differ from the dialect's own. */
  readonly streamErrors: Partial<Readonly<Record<DialectName, readonly [StreamErrorEntry, ...StreamErrorEntry[]]>>>;
  /** The headers of a good answer: request id, rate limits. For the built-in provider. */
  readonly answerHeaders: (facts: Pick<ErrorContext, "wallMs" | "random">) => HeaderList;
  /** An error of our own in this provider's shape. */
  readonly ownError: (status: number, code: string, message: string) => unknown;
};
