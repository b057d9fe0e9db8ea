import Anthropic from "@anthropic-ai/sdk";
import type { Message, MessageCreateParamsNonStreaming } from "@anthropic-ai/sdk/resources/messages";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";
import type { AnswerContext, RequestOptions } from "../../../src/translate/translation.ts";

export const REQUEST = {
  model: "claude-test",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hi" }],
} as const satisfies JsonObject;

export const CONTEXT: AnswerContext = { request: REQUEST, id: "0123456789abcdefghijklmn", createdSeconds: 1_760_000_000 };

export type SystemMode = RequestOptions["systemMessages"];

export function translated(json: JsonObject, systemMessages: SystemMode = "instructions") {
  return messagesToChat.request(json, { systemMessages });
}

/** The body and what was dropped; throws where the request is called wrong. */
export function translatedBody(json: JsonObject, systemMessages?: SystemMode) {
  const result = translated(json, systemMessages);
  if (result.kind === "mistake") throw new Error(result.message);
  return result;
}

// ---- chunks of Chat Completions ----

export function chunk(delta: JsonObject, finish: string | null = null, more: JsonObject = {}): JsonObject {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  return { id: "chatcmpl-abc", object: "chat.completion.chunk", created: 1, model: "gpt-test", choices, ...more };
}

export const USAGE = { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 };
export const USAGE_CHUNK: JsonObject = { ...chunk({}), choices: [], usage: USAGE };

export function callDelta(index: number, more: JsonObject): JsonObject {
  return { tool_calls: [{ index, ...more }] };
}

/** The first piece of a call and any others. */
export function call(index: number, id: string, name: string, argumentsText = ""): JsonObject {
  return callDelta(index, { id, type: "function", function: { name, arguments: argumentsText } });
}

export function argumentsPiece(index: number, argumentsText: string): JsonObject {
  return callDelta(index, { function: { arguments: argumentsText } });
}

/** A chunk, or a payload that is no JSON. */
export type Given = JsonObject | string;

export function payloadOf(given: Given): Payload {
  return { event: undefined, data: typeof given === "string" ? given : JSON.stringify(given) };
}

/** Everything that the client gets for these payloads and the end of the bytes. */
export function streamed(given: readonly Given[], context: AnswerContext = CONTEXT): readonly Payload[] {
  const stream = messagesToChat.stream(context);
  return [...given.flatMap((one) => stream.onPayload(payloadOf(one))), ...stream.onEnd()];
}

export type Event = JsonObject & { readonly type: string };

export function eventsOf(payloads: readonly Payload[]): readonly Event[] {
  return payloads.map(({ data }) => JSON.parse(data));
}

/** `start text`, `delta text_delta Hel`: events in few words. */
export function told(payloads: readonly Payload[]): readonly string[] {
  return eventsOf(payloads).map((event) => {
    const delta = (event.delta ?? {}) as JsonObject;
    switch (event.type) {
      case "content_block_start":
        return `${event.index} start ${(event.content_block as JsonObject).type}`;
      case "content_block_delta":
        return `${event.index} ${delta.text ?? delta.thinking ?? delta.partial_json ?? delta.type}`;
      case "content_block_stop":
        return `${event.index} stop`;
      case "message_delta":
        return `message_delta ${delta.stop_reason}`;
      case "error":
        return `error ${(event.error as JsonObject).type}`;
      default:
        return event.type;
    }
  });
}

/** What all streams begin and end with, put around the events of the blocks. */
export function framed(blocks: readonly string[], stopReason: string): readonly string[] {
  return ["message_start", ...blocks.slice(0, 1), "ping", ...blocks.slice(1), `message_delta ${stopReason}`, "message_stop"];
}

// ---- the official client ----

export function bytesOf(payloads: readonly Payload[]): Uint8Array<ArrayBuffer> {
  const parts = payloads.map(({ event, data }, index) => SSE.render(event, data, index));
  return new Uint8Array(Buffer.concat(parts));
}

function clientOf(body: Uint8Array<ArrayBuffer> | string, contentType: string): Anthropic {
  const response = () => new Response(body, { headers: { "content-type": contentType } });
  return new Anthropic({ apiKey: "sk-ant-test", baseURL: "http://localhost", maxRetries: 0, fetch: async () => response() });
}

const ASKED: MessageCreateParamsNonStreaming = { model: "claude-test", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };

/** What `client.messages.stream(…).finalMessage()` makes of the events. */
export function accumulated(payloads: readonly Payload[]): Promise<Message> {
  return clientOf(bytesOf(payloads), "text/event-stream").messages.stream(ASKED).finalMessage();
}

export function received(body: JsonObject): Promise<Message> {
  return clientOf(JSON.stringify(body), "application/json").messages.create(ASKED);
}

/** Without what the client adds of its own: undefined keys and ids of requests, getters. */
export function plain(message: object): JsonObject {
  return JSON.parse(JSON.stringify(message));
}
