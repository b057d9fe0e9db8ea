import OpenAI from "openai";
import type { ResponseCreateParams, ResponseStreamEvent } from "openai/resources/responses/responses";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import type { AnswerContext, RequestOptions, TranslatedRequest } from "../../../src/translate/translation.ts";

export const OPTIONS: RequestOptions = { systemMessages: "input", customTools: "custom" };

/** Requests are written in the types of the official client; what crosses the wire is JSON. */
export function json(value: unknown): JsonObject {
  return JSON.parse(JSON.stringify(value));
}

export function context(request: ResponseCreateParams = { model: "asked-for", input: "Hi" }): AnswerContext {
  return { request: json(request), id: "ctx0", createdSeconds: 1_760_000_000 };
}

export function translated(request: ResponseCreateParams, options: RequestOptions = OPTIONS): TranslatedRequest {
  const result = responsesToChat.request(json(request), options);
  if (result.kind === "mistake") throw new Error(`${result.param}: ${result.message}`);
  return result;
}

/** A chunk with one choice. */
export function chunk(delta: JsonObject, finish_reason: string | null = null, rest: JsonObject = {}): JsonObject {
  return { ...CHUNK, choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...rest };
}

export const CHUNK = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_750_000_000, model: "target-model" };

export const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 6,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};

export const USAGE_CHUNK = { ...CHUNK, choices: [], usage: USAGE };

export function payloadOf(data: JsonObject | string): Payload {
  return { event: undefined, data: typeof data === "string" ? data : JSON.stringify(data) };
}

/** All payloads for these chunks, with the end of the bytes behind them. */
export function payloadsFor(chunks: readonly (JsonObject | string)[], given: AnswerContext = context()): readonly Payload[] {
  const stream = responsesToChat.stream(given);
  return [...chunks.flatMap((one) => stream.onPayload(payloadOf(one))), ...stream.onEnd()];
}

export function eventsFor(chunks: readonly (JsonObject | string)[], given?: AnswerContext): readonly ResponseStreamEvent[] {
  return payloadsFor(chunks, given).map(({ data }) => JSON.parse(data));
}

/** The official client, which gets these payloads for every request. */
export function clientOf(payloads: readonly Payload[]): OpenAI {
  const decoder = new TextDecoder();
  const body = payloads.map(({ event, data }, index) => decoder.decode(SSE.render(event, data, index))).join("");
  return new OpenAI({
    apiKey: "sk-test",
    maxRetries: 0,
    fetch: async () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
  });
}
