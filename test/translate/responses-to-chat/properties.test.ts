import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Payload } from "../../../src/core/dialect.ts";
import { type JsonObject, objectsOf } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { CHUNK, chunk, context, payloadOf, payloadsFor, USAGE } from "./support.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });

/** An answer in the order that servers send: reasoning, text, refusal, calls. */
const answer = fc.record({
  reasoning: fc.array(text, { maxLength: 3 }),
  content: fc.array(text, { maxLength: 4 }),
  refusal: fc.array(text, { maxLength: 2 }),
  calls: fc.array(fc.record({ isCustom: fc.boolean(), pieces: fc.array(text, { minLength: 1, maxLength: 3 }) }), { maxLength: 3 }),
  finish: fc.constantFrom("stop", "tool_calls", "length", "content_filter"),
});
type Given = typeof answer extends fc.Arbitrary<infer T> ? T : never;

const callKeys = (isCustom: boolean, index: number, value: string, name?: string) => ({
  index,
  type: isCustom ? "custom" : "function",
  [isCustom ? "custom" : "function"]: { ...(name !== undefined && { name }), [isCustom ? "input" : "arguments"]: value },
});

function chunksOf({ reasoning, content, refusal, calls, finish }: Given): readonly JsonObject[] {
  return [
    chunk({ role: "assistant", content: "" }),
    ...reasoning.map((piece) => chunk({ reasoning_content: piece })),
    ...content.map((piece) => chunk({ content: piece })),
    ...refusal.map((piece) => chunk({ refusal: piece })),
    ...calls.flatMap(({ isCustom, pieces }, index) => [
      chunk({ tool_calls: [{ id: `c${index}`, ...callKeys(isCustom, index, "", "f") }] }),
      ...pieces.map((piece) => chunk({ tool_calls: [callKeys(isCustom, index, piece)] })),
    ]),
    chunk({}, finish),
    { ...CHUNK, choices: [], usage: USAGE },
  ];
}

function wholeOf({ reasoning, content, refusal, calls, finish }: Given): JsonObject {
  const message = {
    role: "assistant",
    reasoning_content: reasoning.join(""),
    content: content.join(""),
    refusal: refusal.join(""),
    tool_calls: calls.map(({ isCustom, pieces }, index) => ({ id: `c${index}`, ...callKeys(isCustom, index, pieces.join(""), "f") })),
  };
  return { ...CHUNK, object: "chat.completion", choices: [{ index: 0, message, finish_reason: finish }], usage: USAGE };
}

test("a streamed answer ends with the response that the whole answer becomes", () => {
  fc.assert(
    fc.property(answer, (given) => {
      const last = JSON.parse(payloadsFor(chunksOf(given)).at(-1)?.data ?? "");
      expect(last.response).toEqual(responsesToChat.whole(wholeOf(given), context()).body);
    }),
  );
});

/** What belongs to one text: the item, and the part of it. */
function placeOf({ item_id, content_index, summary_index }: JsonObject): string {
  return JSON.stringify([item_id, content_index, summary_index]);
}

test("deltas joined are the done texts, which the final response has; the numbers have no gaps", () => {
  fc.assert(
    fc.property(answer, (given) => {
      const events: readonly JsonObject[] = payloadsFor(chunksOf(given)).map(({ data }) => JSON.parse(data));
      const joined = new Map<string, string>();
      const done: string[] = [];
      for (const event of events) {
        if (typeof event.delta === "string") joined.set(placeOf(event), `${joined.get(placeOf(event)) ?? ""}${event.delta}`);
        const value = /(?:text|refusal|arguments|input)\.done$/.test(String(event.type))
          ? (event.text ?? event.refusal ?? event.arguments ?? event.input)
          : undefined;
        if (typeof value !== "string") continue;
        expect(joined.get(placeOf(event))).toBe(value);
        done.push(value);
      }
      expect(done).toHaveLength(joined.size);
      const output = objectsOf(JSON.parse(JSON.stringify(events.at(-1)?.response)).output);
      const final = JSON.stringify(output);
      for (const value of done) expect(final).toContain(JSON.stringify(value));
      const closed = events.filter(({ type }) => type === "response.output_item.done");
      const inOrder = [...closed].sort((a, b) => Number(a.output_index) - Number(b.output_index)).map(({ item }) => item);
      expect(inOrder).toEqual([...output]);
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    }),
  );
});

test("however the bytes are cut, the events are the same", () => {
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(answer, fc.array(fc.nat({ max: 5_000 }), { maxLength: 20 }), (given, cuts) => {
      const bytes = encoder.encode(
        [...chunksOf(given).map((one) => JSON.stringify(one)), "[DONE]"].map((data) => `data: ${data}\n\n`).join(""),
      );
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const splitter = SSE.splitter();
      const stream = responsesToChat.stream(context());
      const made: Payload[] = [];
      for (const [index, end] of places.entries()) {
        for (const { data } of splitter.push(bytes.slice(places[index - 1] ?? 0, end))) {
          if (data !== undefined) made.push(...stream.onPayload(payloadOf(data)));
        }
      }
      expect(made).toEqual([...payloadsFor(chunksOf(given))]);
      expect(stream.isOver()).toBe(true);
    }),
  );
});

/** JSON in which the keys and words of both dialects are likely. */
const WORDS = [
  "input",
  "instructions",
  "tools",
  "tool_choice",
  "type",
  "role",
  "content",
  "text",
  "message",
  "user",
  "assistant",
  "system",
  "function",
  "function_call",
  "function_call_output",
  "custom_tool_call",
  "call_id",
  "output",
  "name",
  "arguments",
  "input_text",
  "input_image",
  "image_url",
  "reasoning",
  "namespace",
  "additional_tools",
  "allowed_tools",
  "mode",
  "required",
  "auto",
  "format",
  "choices",
  "delta",
  "index",
  "id",
  "tool_calls",
  "finish_reason",
  "stop",
  "error",
  "usage",
  "refusal",
  "annotations",
  "logprobs",
  "url_citation",
  "custom",
  "summary",
  "toString",
  "__proto__",
  "constructor",
  "detail",
  "code",
  "model",
  "stream",
  "include",
];
const hostile = fc.letrec<{ readonly value: unknown; readonly object: object }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: "medium" },
    fc.oneof(fc.constantFrom(...WORDS), fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie("value"), { maxLength: 4 }),
    tie("object"),
  ),
  object: fc
    .array(fc.tuple(fc.constantFrom(...WORDS), tie("value")), { maxLength: 6 })
    // As the wire brings it: `__proto__` is a key like any other.
    .map((entries) =>
      JSON.parse(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? "null"}`).join(",")}}`),
    ),
})).object as fc.Arbitrary<JsonObject>;

test("no request makes it throw, and what it makes of one is JSON", () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom("drop", "instructions", "input"), (request, systemMessages) => {
      for (const customTools of ["custom", "function"] as const) {
        for (const given of [request, { ...request, input: [request] }, { ...request, input: "Hi", tools: [request] }]) {
          const result = responsesToChat.request(given, { systemMessages, customTools });
          if (result.kind === "request") expect(Array.isArray(result.body.messages)).toBe(true);
          else expect([400, 422]).toContain(result.status);
          expect(() => JSON.stringify(result)).not.toThrow();
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

test("no answer and no chunk makes it throw", () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 4 }), hostile, (answers, request) => {
      const given = { request, id: "x", createdSeconds: 1 };
      const stream = responsesToChat.stream(given);
      for (const one of answers) {
        for (const shaped of [
          one,
          { choices: [one] },
          { choices: [{ message: one }] },
          { choices: [{ message: { tool_calls: [one] } }] },
        ]) {
          expect(responsesToChat.whole(shaped, given).status).toBeGreaterThanOrEqual(200);
        }
        for (const shaped of [one, { choices: [one] }, { choices: [{ delta: one }] }, { choices: [{ delta: { tool_calls: [one] } }] }]) {
          stream.onPayload(payloadOf(shaped));
        }
      }
      stream.onEnd();
      expect(stream.isOver()).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test("neither does what is nested without an end", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const call = `{"tool_calls":[{"function":{"name":"f","arguments":{"a":${deep}}}}],"content":"x","annotations":${deep}}`;
  const rows = [
    `{"error":${deep}}`,
    `{"choices":[{"delta":${call},"logprobs":{"content":[{"token":${deep},"top_logprobs":[{"a":${deep}}]}]},"finish_reason":"stop"}],"usage":${deep}}`,
  ];
  for (const data of rows) {
    const stream = responsesToChat.stream(context());
    expect([...stream.onPayload(payloadOf(data)), ...stream.onEnd()].length).toBeGreaterThan(1);
    expect(() => JSON.stringify(responsesToChat.whole(JSON.parse(data.replace('"delta"', '"message"')), context()))).not.toThrow();
  }
});
