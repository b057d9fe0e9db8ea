import type { RequestFacts } from "./exchange.ts";
import type { Frame, Framing } from "./frame.ts";
import type { StreamErrorEntry } from "./provider.ts";
import type { Usage } from "./usage.ts";

export const DIALECT_NAMES = ["chat", "responses", "messages", "gemini"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

export type ToolCall = {
  readonly id: string;
  readonly name: string;
  /** JSON text, or deliberately broken text. */
  readonly argumentsText: string;
};

/** Why an answer ended, before each dialect's own word for it. */
export type Finish = "stop" | "length" | "tool_calls" | "content_filter";

/** A model's answer without its wire form. */
export type Answer = {
  /** Pieces of text as a stream would bring them; joined in a whole answer. */
  readonly text: readonly string[];
  readonly refusal: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: Finish;
  readonly inputTokens: number;
  readonly outputTokens: number;
};

/** What an answer's envelope needs. */
export type Envelope = {
  /** Lower-case letters and digits, unique to the exchange; each dialect puts its own prefix before it. */
  readonly id: string;
  readonly model: string;
  /** Unix time in seconds. */
  readonly createdSeconds: number;
};

/** A frame before its bytes. */
export type Payload = { readonly event: string | undefined; readonly data: string };

export type Dialect = {
  readonly name: DialectName;
  /** Does this path (no query, no prefix of ours) speak this dialect? */
  readonly matches: (path: string) => boolean;
  /** Reads what it can; never throws. `json` is undefined where the body is not JSON. */
  readonly facts: (path: string, query: string, json: unknown) => RequestFacts;
  /** How a streamed answer to this request is framed. */
  readonly framing: (path: string, query: string) => Framing;
  /** Does the frame bring output: text, reasoning, tool arguments? One such frame counts as one token for `after=`. */
  readonly isContent: (frame: Frame) => boolean;
  /** Is it the frame (or one of the closing frames) without which the stream is not complete? */
  readonly isTerminal: (frame: Frame) => boolean;
  readonly streamErrors: readonly [StreamErrorEntry, ...StreamErrorEntry[]];
  /** A frame that means nothing and that servers send to keep the connection alive; undefined where the dialect has none. */
  readonly keepalive: Payload | string | undefined;
  /** The whole answer as JSON text. */
  readonly whole: (answer: Answer, envelope: Envelope) => string;
  /** The frames of the streamed answer, terminator included. */
  readonly frames: (answer: Answer, envelope: Envelope, facts: Pick<RequestFacts, "usageInStream">) => readonly Payload[];
  /**
   * The tokens that an answer tells of, from the JSON of a whole answer or of one payload of a stream, given what the
   * payloads before told; the same where this one tells nothing. Never throws.
   */
  readonly usage: (json: Readonly<Record<string, unknown>>, before: Usage | undefined) => Usage | undefined;
  /** A rewriter for one answer that leaves out the usage. A payload it does not concern is given back as the same text; undefined drops the frame. */
  readonly withoutUsage: () => (payload: string) => string | undefined;
  /** A rewriter for one answer that ends it by length after `contentFramesMax` content frames; same contract. */
  readonly endedByLength: (contentFramesMax: number) => (payload: string) => string | undefined;
};
