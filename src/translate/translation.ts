import type { DialectName, Payload } from "../core/dialect.ts";
import type { HeaderList } from "../core/headers.ts";
import { type JsonObject, textOf } from "../dialects/shared.ts";
import type { ErrorFacts } from "./errors.ts";

/** What a target's settings say about the way requests are translated for it. */
export type RequestOptions = {
  /** What becomes of system and developer messages: left out, joined into the instructions, or kept as items of the input. */
  readonly systemMessages: "drop" | "instructions" | "input";
  /**
   * Custom tools, which take a text, of Responses clients before Chat Completions: as functions with one argument, which every server knows,
   * or as what they are. Functions where nothing is said. Calls come back as calls of custom tools either way.
   */
  readonly customTools?: "function" | "custom";
};

/** A request in the target's dialect. */
export type TranslatedRequest = {
  readonly kind: "request";
  readonly body: JsonObject;
  /** What the target's dialect cannot express, by its name in the client's dialect: `stop`, `messages.name`. Each once, in the order found. */
  readonly dropped: readonly string[];
};

/** A request that is wrong in the client's own dialect, or that must not be sent without what the target cannot express. */
export type RequestMistake = {
  readonly kind: "mistake";
  /** 400, or 422 where the JSON is right and its meaning is not. */
  readonly status: 400 | 422;
  /** One or two sentences for people: what is wrong, and what is expected. */
  readonly message: string;
  /** The place, as the client's API names it: `messages[1].content[0].type` at OpenAI, `messages.1.content.0.type` at Anthropic. */
  readonly param: string | null;
  /** OpenAI's word, such as `invalid_type`, `invalid_value`, `missing_required_parameter`. */
  readonly code: string | null;
};

/** What an answer needs beside itself. */
export type AnswerContext = {
  /** The client's request, which was translated without a mistake. */
  readonly request: JsonObject;
  /** Lower-case letters and digits, unique to the exchange; for answers of targets that give no id. */
  readonly id: string;
  /** Unix time in whole seconds; for answers of targets that give none. */
  readonly createdSeconds: number;
  /** The answer names the model that gave it, where it would name the one that was asked for. */
  readonly namesAnswering?: boolean;
};

/** The model that an answer names: where a target stands in for another, clients look for the name that they asked for. */
export function modelToName({ request, namesAnswering }: AnswerContext, answered: unknown): string {
  const [asked, answering] = [textOf(request.model), textOf(answered)];
  return (namesAnswering === true ? (answering ?? asked) : (asked ?? answering)) ?? "";
}

/** An answer in the client's dialect: with status 200, or an error in its shape. */
export type TranslatedAnswer = { readonly status: number; readonly body: JsonObject };

/**
 * One stream on its way. It holds no more than it needs to go on: what calls and parts have begun, and of their text only what
 * the client's dialect must be told again or in another order, within a limit. Its results do not depend on how the bytes of the frames were chunked.
 */
export type StreamTranslation = {
  /** The target's next frame with a payload; gives the client's frames for it, in order. Never throws: what it does not know it skips. */
  readonly onPayload: (payload: Payload) => readonly Payload[];
  /** No frame will follow: the bytes ended or were cut. Gives an error in the client's dialect where the answer is not whole, else nothing. */
  readonly onEnd: () => readonly Payload[];
  /** The last frame for the client, good or bad, has been given. */
  readonly isOver: () => boolean;
};

/** Between the dialect that a client speaks and that of a target. Pure: JSON and payloads in, JSON and payloads out. */
export type Translation = {
  readonly client: DialectName;
  readonly target: DialectName;
  readonly request: (json: JsonObject, options: RequestOptions) => TranslatedRequest | RequestMistake;
  /** The client's header fields as the target's API wants them: credentials and versions that are the dialect's own. */
  readonly headers: (headers: HeaderList) => HeaderList;
  /** A whole answer that came with status 200. */
  readonly whole: (answer: JsonObject, context: AnswerContext) => TranslatedAnswer;
  readonly stream: (context: AnswerContext) => StreamTranslation;
  /** An error in the client's shape. */
  readonly error: (status: number, facts: ErrorFacts) => JsonObject;
};
