import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Payload } from "../../../src/core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import { anyPayload, chatRequest, damagedRequest, PROPERTY_OPTIONS, type Streamed, streamed } from "./arbitraries.ts";
import { contextOf, event, join, play, translated } from "./helpers.ts";

const systemMessages = fc.constantFrom("drop", "instructions", "input");

/** Where a parameter of the client stands in the target's body; what stands nowhere must be named as dropped. */
const CONSUMED: Readonly<Record<string, (value: unknown, body: JsonObject, json: JsonObject) => boolean>> = {
  messages: (_value, { input }) => Array.isArray(input),
  logprobs: (value, { include }) => value === false || JSON.stringify(include) === '["message.output_text.logprobs"]',
  max_tokens: (value, { max_output_tokens }, json) => max_output_tokens === (json.max_completion_tokens ?? value),
  max_completion_tokens: (value, { max_output_tokens }) => max_output_tokens === value,
  response_format: (value, { text }) => isObject(text) && isObject(text.format) && isObject(value) && text.format.type === value.type,
  reasoning_effort: (value, { reasoning }) => isObject(reasoning) && reasoning.effort === value,
  verbosity: (value, { text }) => isObject(text) && text.verbosity === value,
  tools: (value, { tools }) => Array.isArray(value) && Array.isArray(tools) && value.length === tools.length,
  tool_choice: (value, { tool_choice }) => typeof value !== "string" || tool_choice === value,
  stream_options: (value, { stream_options }, json) => {
    const wanted = isObject(value) && json.stream === true ? value.include_obfuscation : undefined;
    return wanted === (isObject(stream_options) ? stream_options.include_obfuscation : undefined);
  },
  // These ask for nothing.
  modalities: (value) => JSON.stringify(value) === "[]" || JSON.stringify(value) === '["text"]',
  n: (value) => value === 1,
  stop: (value) => Array.isArray(value) && value.length === 0,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
};

test("of every request each parameter is consumed or named as dropped", () => {
  const check = (json: JsonObject, setting: "drop" | "instructions" | "input") => {
    const { body, dropped } = translated(json, { systemMessages: setting });
    for (const [name, value] of Object.entries(json)) {
      const isSame = () => Object.hasOwn(body, name) && JSON.stringify(body[name]) === JSON.stringify(value);
      const isConsumed = value === null || (Object.hasOwn(CONSUMED, name) ? CONSUMED[name]?.(value, body, json) : isSame());
      expect([name, isConsumed, dropped.includes(name)]).toEqual([name, !dropped.includes(name), dropped.includes(name)]);
    }
    expect(dropped).toEqual([...new Set(dropped)]);
    JSON.stringify(body);
  };
  fc.assert(fc.property(chatRequest, systemMessages, check), PROPERTY_OPTIONS);
});

test("a damaged request is a mistake with a place and a text, or is translated", () => {
  const check = (json: JsonObject, setting: "drop" | "instructions" | "input") => {
    const result = chatToResponses.request(json, { systemMessages: setting });
    if (result.kind === "request") JSON.stringify(result.body);
    else expect([result.status, result.message.length > 10, result.param === ""]).toEqual([400, true, false]);
  };
  fc.assert(fc.property(damagedRequest, systemMessages, check), { ...PROPERTY_OPTIONS, numRuns: 2_000 });
});

const NAMES = [
  "messages",
  "tools",
  "tool_choice",
  "response_format",
  "stream_options",
  "stop",
  "modalities",
  "n",
  "__proto__",
  "x",
] as const;

test("any JSON as a request throws nothing", () => {
  const anyRequest = fc.oneof(
    fc.dictionary(fc.constantFrom(...NAMES), fc.jsonValue({ maxDepth: 4 })),
    fc.array(fc.jsonValue({ maxDepth: 3 })).map((messages) => ({ messages })),
  );
  const check = (value: JsonObject) => {
    const json = parseObject(JSON.stringify(value)) ?? {};
    expect(["request", "mistake"]).toContain(chatToResponses.request(json, { systemMessages: "instructions" }).kind);
  };
  fc.assert(fc.property(anyRequest, check), PROPERTY_OPTIONS);
});

test("any JSON as an answer throws nothing", () => {
  const answer = fc.oneof(
    fc.dictionary(fc.constantFrom("output", "status", "error", "usage", "id", "__proto__"), fc.jsonValue({ maxDepth: 4 })),
    streamed.map(({ response }) => response),
  );
  const check = (value: JsonObject, request: JsonObject) => {
    const { status, body } = chatToResponses.whole(value, { request, id: "x", createdSeconds: 1 });
    expect(status === 200).toBe(Array.isArray(body.choices));
  };
  fc.assert(fc.property(answer, fc.dictionary(fc.constantFrom("model", "logprobs"), fc.jsonValue()), check), PROPERTY_OPTIONS);
});

test("the chunks of every stream, joined, are the whole answer", () => {
  const byId = (calls: unknown) => objectsOf(calls).toSorted((a, b) => String(a.id).localeCompare(String(b.id)));
  const check = ({ response, events, request }: Streamed) => {
    const { body, status } = chatToResponses.whole(response, contextOf(request));
    expect(status).toBe(200);
    const choice = objectsOf(body.choices)[0];
    const message = isObject(choice?.message) ? choice.message : {};
    const joined = join(play(events, request));
    const wantsUsage = isObject(request.stream_options) && request.stream_options.include_usage === true;
    expect<unknown>({ ...joined, content: joined.content ?? "", toolCalls: byId(joined.toolCalls) }).toEqual({
      content: message.content ?? "",
      refusal: message.refusal,
      toolCalls: byId(message.tool_calls),
      annotations: [],
      logprobs: [],
      finishReason: choice?.finish_reason,
      usage: wantsUsage ? body.usage : undefined,
      error: undefined,
      isDone: true,
    });
  };
  fc.assert(fc.property(streamed, check), { ...PROPERTY_OPTIONS, numRuns: 2_000 });
});

test("however the bytes of a stream come, the chunks are the same", () => {
  const check = ({ events, request }: Streamed, places: number[]) => {
    const bytes = Buffer.concat(events.map((payload, index) => SSE.render(payload.event, payload.data, index)));
    const borders = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
    const splitter = SSE.splitter();
    const stream = chatToResponses.stream(contextOf(request));
    const frames = [
      ...borders.slice(1).flatMap((border, index) => splitter.push(bytes.subarray(borders[index], border))),
      ...splitter.end(),
    ];
    const payloads = frames.flatMap(({ event: name, data }) => (data === undefined ? [] : stream.onPayload({ event: name, data })));
    expect([...payloads, ...stream.onEnd()].map(({ data }) => data)).toEqual([...play(events, request).payloads]);
  };
  fc.assert(fc.property(streamed, fc.array(fc.nat({ max: 5_000 }), { maxLength: 20 }), check), PROPERTY_OPTIONS);
});

test("any payloads throw nothing, and what comes of them is a stream of its kind", () => {
  const check = (payloads: readonly Payload[], logprobs: boolean) => {
    const played = play(payloads, { logprobs });
    const roles = played.payloads.map((payload) => payload.includes('"role":"assistant"'));
    const isError = played.payloads.map((payload) => isObject(parseObject(payload)?.error));
    const last = played.payloads.length - 1;
    expect(played.isOver).toBe(true);
    expect(roles.lastIndexOf(true)).toBeLessThanOrEqual(0);
    expect(roles[0] === true || isError[0] === true).toBe(true);
    expect(isError.indexOf(true) === (played.payloads[last] === "[DONE]" ? -1 : last)).toBe(true);
    expect(played.payloads.slice(0, last).every((payload) => parseObject(payload) !== undefined)).toBe(true);
  };
  fc.assert(fc.property(fc.array(anyPayload, { maxLength: 12 }), fc.boolean(), check), { ...PROPERTY_OPTIONS, numRuns: 3_000 });
});

test("a stream keeps nothing of the texts that it brings", () => {
  const stream = chatToResponses.stream(contextOf());
  const piece = "x".repeat(64 * 1024);
  const heapBytes = () => {
    Bun.gc(true);
    return process.memoryUsage().heapUsed;
  };
  const before = heapBytes();
  for (let index = 0; index < 1_000; index++) {
    stream.onPayload(event("response.output_text.delta", { output_index: 0, delta: piece + index }));
    stream.onPayload(event("response.function_call_arguments.delta", { output_index: 1, delta: piece + index }));
  }
  expect(heapBytes() - before).toBeLessThan(16 * 1024 * 1024);
  expect(stream.isOver()).toBe(false);
});
