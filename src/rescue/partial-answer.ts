import type { Payload } from "../core/dialect.ts";
import type { JsonObject } from "../dialects/shared.ts";

/** What a client has of a streamed answer. It keeps the text and where the answer stands, no frames. */
export type PartialAnswer = {
  /** A frame's payload as it went to the client, in order: those of a splice too. Never throws. */
  readonly note: (payload: Payload) => void;
  /** The answer's id as the client has it. */
  readonly id: () => string | undefined;
  /** Nothing but the envelope is there: the whole answer to the same request fits behind it. A call that has only begun is something. */
  readonly isEmpty: () => boolean;
  /**
   * The client's request, asking to go on behind what is there: the request itself where there is nothing that a model must be told.
   * Undefined where that cannot be told (tool calls, refusals, signed thinking, thinking without a text behind it, several choices), and
   * where the answer has finished.
   */
  readonly continuing: (request: JsonObject) => JsonObject | undefined;
  /**
   * Fits the payloads of the answer that goes on behind those that are there; one call for each such answer, where there is a request
   * that goes on. A payload it does not concern passes as it is; what the client has already is left out. Never throws.
   */
  readonly splice: () => (payload: Payload) => readonly Payload[];
};

export type ErrorToTell = {
  readonly message: string;
  /** What it would have been as the answer to a request: 502, 503, 429. */
  readonly status: number;
};

/** What the client has got before an error. */
export type Before = {
  readonly frames: number;
  /** The answer's id; Responses names it where it says that a response has failed. */
  readonly id?: string | undefined;
};

export type RescueDialect = {
  readonly partial: () => PartialAnswer;
  /** The dialect's own error event, for a stream that cannot be completed. */
  readonly error: (facts: ErrorToTell, before: Before) => readonly Payload[];
  /** What still has to come when the stream ends behind its finish; nothing where the finish is the end. */
  readonly terminator: readonly Payload[];
  /** Tells of each payload, one after the other, whether the answer's finish has come, so that only usage and the terminator can follow. */
  readonly finish: () => (payload: Payload) => boolean;
};
