import type { Payload } from "../../core/dialect.ts";
import type { JsonObject } from "../../dialects/shared.ts";
import { type ErrorFacts, openaiError, statusOfError } from "../errors.ts";
import type { AnswerContext } from "../translation.ts";
import { envelopeOf } from "./answer.ts";
import type { FinishReason } from "./finish.ts";
import { choiceLogprobs } from "./logprobs.ts";
import { asksForUsage } from "./request.ts";

/** Writes the chunks of one answer. What all of them repeat is turned into text once. */
export type Chunks = {
  /** The first response that an event brings says what all chunks say of themselves; without one the exchange does. */
  readonly begin: (response: JsonObject) => void;
  /** The role, where it has not been given yet; it comes before anything else. */
  readonly role: () => readonly Payload[];
  readonly content: (text: string, logprobs: readonly JsonObject[]) => Payload;
  readonly delta: (delta: JsonObject) => Payload;
  /** The last chunks, and what ends a stream. */
  readonly end: (reason: FinishReason, usage: JsonObject | undefined, serviceTier: string | undefined) => readonly Payload[];
};

export function createChunks(context: AnswerContext): Chunks {
  const withUsage = asksForUsage(context.request);
  const tail = withUsage ? ',"usage":null}' : "}";
  let head: string | undefined;
  let contentHead = "";
  const contentTail = `},"logprobs":null,"finish_reason":null}]${tail}`;
  let hasRole = false;

  const begin = (response: JsonObject): string => {
    const { id, created, model } = envelopeOf(response, context);
    head = JSON.stringify({ id, object: "chat.completion.chunk", created, model }).slice(0, -1);
    contentHead = `${head},"choices":[{"index":0,"delta":{"content":`;
    return head;
  };
  const chunk = (delta: JsonObject, logprobs: JsonObject | null, finish: FinishReason | null, more = ""): Payload => {
    const choice = JSON.stringify({ index: 0, delta, logprobs, finish_reason: finish });
    return payload(`${head ?? begin({})},"choices":[${choice}]${more}${tail}`);
  };

  return {
    begin(response) {
      if (head === undefined) begin(response);
    },
    role() {
      if (hasRole) return NOTHING;
      hasRole = true;
      return [chunk({ role: "assistant" }, null, null)];
    },
    content(text, logprobs) {
      if (logprobs.length > 0) return chunk({ content: text }, choiceLogprobs(logprobs), null);
      if (head === undefined) begin({});
      return payload(contentHead + JSON.stringify(text) + contentTail);
    },
    delta: (delta) => chunk(delta, null, null),
    end(reason, usage, serviceTier) {
      const tier = serviceTier === undefined ? "" : `,"service_tier":${JSON.stringify(serviceTier)}`;
      const finish = chunk({}, null, reason, tier);
      if (!withUsage || usage === undefined) return [finish, DONE];
      return [finish, payload(`${head ?? begin({})},"choices":[]${tier},"usage":${JSON.stringify(usage)}}`), DONE];
    },
  };
}

const NOTHING: readonly Payload[] = [];
const DONE = payload("[DONE]");

function payload(data: string): Payload {
  return { event: undefined, data };
}

/** Takes the place of a chunk, and ends the stream without `[DONE]`. */
export function errorPayload(facts: ErrorFacts): Payload {
  return payload(JSON.stringify(openaiError(statusOfError(facts), facts)));
}
