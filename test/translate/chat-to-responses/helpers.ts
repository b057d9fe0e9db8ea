import { expect } from "bun:test";
import type { Payload } from "../../../src/core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject } from "../../../src/dialects/shared.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../../../src/translate/translation.ts";

export const OPTIONS: RequestOptions = { systemMessages: "instructions" };

/** The translated request; fails where it is a mistake. */
export function translated(json: JsonObject, options = OPTIONS): TranslatedRequest {
  const result = chatToResponses.request(json, options);
  if (result.kind !== "request") throw new Error(`a mistake: ${result.message}`);
  return result;
}

/** The mistake; fails where the request is none. */
export function mistakeOf(json: JsonObject, options = OPTIONS): RequestMistake {
  const result = chatToResponses.request(json, options);
  if (result.kind !== "mistake") throw new Error(`no mistake: ${JSON.stringify(result)}`);
  return result;
}

export const HELLO: JsonObject = { role: "user", content: "Hello" };

export function asking(more: JsonObject): JsonObject {
  return { model: "m", messages: [HELLO], ...more };
}

/** One event of the backend. */
export function event(type: string, fields: JsonObject = {}): Payload {
  return { event: type, data: JSON.stringify({ type, ...fields }) };
}

export const CREATED = event("response.created", { response: { id: "resp_1", created_at: 1_700_000_000.5, model: "backend-model" } });

export function completed(response: JsonObject = {}): Payload {
  return event("response.completed", { response: { id: "resp_1", status: "completed", output: [], ...response } });
}

export function contextOf(request: JsonObject = {}) {
  return { request: { model: "asked", messages: [HELLO], ...request }, id: "x1", createdSeconds: 1_600_000_000 };
}

export type Played = { readonly payloads: readonly string[]; readonly isOver: boolean };

/** All payloads that the client gets for these, the end of the bytes included. */
export function play(payloads: readonly Payload[], request: JsonObject = {}): Played {
  const stream = chatToResponses.stream(contextOf(request));
  const given = [...payloads.flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
  expect(given.every((payload) => payload.event === undefined)).toBe(true);
  return { payloads: given.map(({ data }) => data), isOver: stream.isOver() };
}

export function chunksOf({ payloads }: Played): readonly JsonObject[] {
  return payloads.map((payload) => parseObject(payload)).filter((chunk) => chunk !== undefined);
}

/** The deltas of all chunks, in order; the finishing chunk has an empty one. */
export function deltasOf(played: Played): readonly unknown[] {
  return chunksOf(played)
    .flatMap((chunk) => objectsOf(chunk.choices))
    .map(({ delta }) => delta);
}

export type Joined = {
  readonly content: string | null;
  readonly refusal: string | null;
  readonly toolCalls: readonly JsonObject[];
  readonly annotations: readonly unknown[];
  readonly logprobs: readonly unknown[];
  readonly finishReason: unknown;
  readonly usage: unknown;
  readonly error: unknown;
  readonly isDone: boolean;
};

/** What a client makes of a stream: texts joined, calls put together by their index. */
export function join(played: Played): Joined {
  const chunks = chunksOf(played);
  const choices = chunks.flatMap((chunk) => objectsOf(chunk.choices));
  const deltas = choices.map(({ delta }) => delta).filter(isObject);
  const textOf = (key: string) => {
    const texts = deltas.map((delta) => delta[key]).filter((text) => typeof text === "string");
    return texts.length === 0 ? null : texts.join("");
  };
  const calls: { id: unknown; type: unknown; name: unknown; text: string }[] = [];
  for (const piece of deltas.flatMap((delta) => objectsOf(delta.tool_calls))) {
    const index = Number(piece.index);
    const inner = isObject(piece.function) ? piece.function : isObject(piece.custom) ? piece.custom : {};
    const said = String(inner.arguments ?? inner.input ?? "");
    const call = calls[index];
    if (call === undefined) calls[index] = { id: piece.id, type: piece.type, name: inner.name, text: said };
    else call.text += said;
  }
  return {
    content: textOf("content"),
    refusal: textOf("refusal"),
    toolCalls: calls.map(({ id, type, name, text }) =>
      type === "custom" ? { id, type, custom: { name, input: text } } : { id, type, function: { name, arguments: text } },
    ),
    annotations: deltas.flatMap((delta) => objectsOf(delta.annotations)),
    logprobs: choices.flatMap(({ logprobs }) => (isObject(logprobs) ? objectsOf(logprobs.content) : [])),
    finishReason: choices.map(({ finish_reason }) => finish_reason).find((reason) => reason !== null),
    usage: chunks.map(({ usage }) => usage).find(isObject),
    error: chunks.map(({ error }) => error).find((error) => error !== undefined),
    isDone: played.payloads.at(-1) === "[DONE]",
  };
}
