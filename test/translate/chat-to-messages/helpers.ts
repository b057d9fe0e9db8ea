import { expect } from "bun:test";
import type { MessageCreateParamsBase, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import OpenAI from "openai";
import type { Payload } from "../../../src/core/dialect.ts";
import { type JsonObject, objectsOf, parseObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { chatToMessages } from "../../../src/translate/chat-to-messages.ts";
import type { AnswerContext, RequestMistake, RequestOptions, TranslatedRequest } from "../../../src/translate/translation.ts";

export const OPTIONS: RequestOptions = { systemMessages: "input" };
export const HELLO: JsonObject = { role: "user", content: "Hello" };

export function asking(more: JsonObject): JsonObject {
  return { model: "claude-sonnet-4-5", messages: [HELLO], ...more };
}

/** The translated request; fails where it is a mistake. */
export function translated(json: JsonObject, options = OPTIONS): TranslatedRequest {
  const result = chatToMessages.request(json, options);
  if (result.kind !== "request") throw new Error(`a mistake: ${result.message}`);
  return result;
}

/** The mistake; fails where the request is none. */
export function mistakeOf(json: JsonObject, options = OPTIONS): RequestMistake {
  const result = chatToMessages.request(json, options);
  if (result.kind !== "mistake") throw new Error(`no mistake: ${JSON.stringify(result)}`);
  return result;
}

/** A body as the official types have it: what does not fit them does not compile. */
export function expectedBody(body: MessageCreateParamsBase & { temperature?: number; top_p?: number }): JsonObject {
  return body as unknown as JsonObject;
}

export function contextOf(request: JsonObject = {}): AnswerContext {
  return { request: asking(request), id: "x1", createdSeconds: 1_760_000_000 };
}

// ---- events of the Messages API ----

export const MESSAGE: JsonObject = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-answering",
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 12, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
};

export function event(type: RawMessageStreamEvent["type"] | "error" | "ping", rest: JsonObject = {}): Payload {
  return { event: type, data: JSON.stringify({ type, ...rest }) };
}

export const START = event("message_start", { message: MESSAGE });
export const STOP = event("message_stop");

export function begin(index: number, content_block: JsonObject): Payload {
  return event("content_block_start", { index, content_block });
}

export function delta(index: number, given: JsonObject): Payload {
  return event("content_block_delta", { index, delta: given });
}

export function end(index: number): Payload {
  return event("content_block_stop", { index });
}

export function textEvents(index: number, ...pieces: readonly string[]): readonly Payload[] {
  return [begin(index, { type: "text", text: "" }), ...pieces.map((text) => delta(index, { type: "text_delta", text })), end(index)];
}

export function toolUse(id: string, name: string, input: unknown = {}): JsonObject {
  return { type: "tool_use", id, name, input, caller: { type: "direct" } };
}

export function json(partial_json: string): JsonObject {
  return { type: "input_json_delta", partial_json };
}

export function callEvents(index: number, id: string, name: string, ...pieces: readonly string[]): readonly Payload[] {
  return [begin(index, toolUse(id, name)), ...["", ...pieces].map((piece) => delta(index, json(piece))), end(index)];
}

export function finished(stop_reason: string | null, usage: JsonObject = { output_tokens: 6 }, more: JsonObject = {}): Payload {
  return event("message_delta", { delta: { stop_reason, stop_sequence: null, ...more }, usage });
}

// ---- what the client gets ----

export type Played = { readonly payloads: readonly Payload[]; readonly isOver: boolean };

/** All payloads that the client gets for these, the end of the bytes included. */
export function play(payloads: readonly Payload[], request: JsonObject = {}): Played {
  const stream = chatToMessages.stream(contextOf(request));
  const given = [...payloads.flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
  expect(given.every(({ event: name }) => name === undefined)).toBe(true);
  return { payloads: given, isOver: stream.isOver() };
}

export function chunksOf({ payloads }: Pick<Played, "payloads">): readonly JsonObject[] {
  return payloads.map(({ data }) => parseObject(data)).filter((chunk) => chunk !== undefined);
}

/** Chunks in few words: deltas as they are, else what else a chunk says. */
export function told(played: Pick<Played, "payloads">): readonly unknown[] {
  return played.payloads.map(({ data }) => {
    if (data === "[DONE]") return data;
    const chunk = parseObject(data) ?? {};
    const [choice] = objectsOf(chunk.choices);
    if (choice !== undefined) return choice.finish_reason ?? choice.delta;
    return chunk.error === undefined ? { usage: chunk.usage } : { error: chunk.error };
  });
}

// ---- the official client ----

export function bytesOf(payloads: readonly Payload[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(payloads.map(({ event: name, data }, index) => SSE.render(name, data, index))));
}

function clientOf(body: Uint8Array<ArrayBuffer> | string, contentType: string): OpenAI {
  const response = () => new Response(body, { headers: { "content-type": contentType } });
  return new OpenAI({ apiKey: "sk-test", baseURL: "http://localhost", maxRetries: 0, logLevel: "off", fetch: async () => response() });
}

const ASKED = { model: "gpt-4o", messages: [{ role: "user", content: "Hello" }] } satisfies OpenAI.ChatCompletionCreateParams;

/** What the SDK's own collector makes of a stream. */
export function accumulated({ payloads }: Pick<Played, "payloads">): Promise<OpenAI.ChatCompletion> {
  return clientOf(bytesOf(payloads), "text/event-stream").chat.completions.stream(ASKED).finalChatCompletion();
}

export function received(body: JsonObject): PromiseLike<OpenAI.ChatCompletion> {
  return clientOf(JSON.stringify(body), "application/json").chat.completions.create(ASKED);
}
