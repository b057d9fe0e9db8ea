import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { type ErrorFacts, openaiError, statusOfError } from "../errors.ts";

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

/** What an answer and each chunk of its stream say of themselves. */
export type ChatEnvelope = { readonly id: string; readonly created: number; readonly model: string };

/** Writes the chunks of one answer. What all of them repeat is turned into text once. */
export type Chunks = {
  /** The first answer that an event brings says what all chunks say of themselves; without one the exchange does. */
  readonly begin: (answer: JsonObject) => void;
  /** The role, where it has not been given yet; it comes before anything else. */
  readonly role: () => readonly Payload[];
  readonly content: (text: string, logprobs: JsonObject | null) => Payload;
  readonly delta: (delta: JsonObject) => Payload;
  /** The last chunk of the answer. */
  readonly finish: (reason: FinishReason, serviceTier?: string) => Payload;
  /** The usage, where it was asked for and is known, and what ends a stream. */
  readonly end: (usage: JsonObject | undefined, serviceTier?: string) => readonly Payload[];
};

export function createChunks(envelopeOf: (answer: JsonObject) => ChatEnvelope, request: JsonObject): Chunks {
  const withUsage = asksForUsage(request);
  const tail = withUsage ? ',"usage":null}' : "}";
  let head: string | undefined;
  let contentHead = "";
  const contentTail = `},"logprobs":null,"finish_reason":null}]${tail}`;
  let hasRole = false;

  const begin = (answer: JsonObject): string => {
    const { id, created, model } = envelopeOf(answer);
    head = JSON.stringify({ id, object: "chat.completion.chunk", created, model }).slice(0, -1);
    contentHead = `${head},"choices":[{"index":0,"delta":{"content":`;
    return head;
  };
  const chunk = (delta: JsonObject, logprobs: JsonObject | null, finish: FinishReason | null, more = ""): Payload => {
    const choice = JSON.stringify({ index: 0, delta, logprobs, finish_reason: finish });
    return payload(`${head ?? begin({})},"choices":[${choice}]${more}${tail}`);
  };

  return {
    begin(answer) {
      if (head === undefined) begin(answer);
    },
    role() {
      if (hasRole) return NOTHING;
      hasRole = true;
      return [chunk({ role: "assistant" }, null, null)];
    },
    content(text, logprobs) {
      if (logprobs !== null) return chunk({ content: text }, logprobs, null);
      if (head === undefined) begin({});
      return payload(contentHead + JSON.stringify(text) + contentTail);
    },
    delta: (delta) => chunk(delta, null, null),
    finish: (reason, serviceTier) => chunk({}, null, reason, tierText(serviceTier)),
    end(usage, serviceTier) {
      if (!withUsage || usage === undefined) return [DONE];
      return [payload(`${head ?? begin({})},"choices":[]${tierText(serviceTier)},"usage":${JSON.stringify(usage)}}`), DONE];
    },
  };
}

/** Did the client ask for the usage of a streamed answer? */
function asksForUsage({ stream_options }: JsonObject): boolean {
  return isObject(stream_options) && stream_options.include_usage === true;
}

function tierText(serviceTier: string | undefined): string {
  return serviceTier === undefined ? "" : `,"service_tier":${JSON.stringify(serviceTier)}`;
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
