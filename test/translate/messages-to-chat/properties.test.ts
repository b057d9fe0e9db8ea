import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";
import {
  accumulated,
  bytesOf,
  CONTEXT,
  chunk,
  eventsOf,
  payloadOf,
  plain,
  received,
  streamed,
  translated,
  USAGE_CHUNK,
} from "./helpers.ts";

// ---- any answer, whole and in chunks ----

type Call = { readonly id: string; readonly name: string; readonly input: JsonObject };
type Given = { readonly whole: JsonObject; readonly chunks: readonly JsonObject[]; readonly calls: number };

const aText = fc.string({ unit: "binary", maxLength: 30 });
const aCall: fc.Arbitrary<Call> = fc.record({
  id: fc.uuid(),
  name: fc.stringMatching(/^[a-z_]{1,9}$/),
  input: fc.dictionary(fc.stringMatching(/^[a-z"{}\\]{1,5}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
});

/** A text in pieces, which joined are the text. */
function pieces(text: string, cuts: readonly number[]): readonly string[] {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [...places, text.length].map((end, index) => text.slice(index === 0 ? 0 : places[index - 1], end));
}

const aCut = fc.array(fc.nat(), { maxLength: 4 });

/** The calls' first pieces in order, and behind each first piece its others, mixed as the numbers say. */
function mixed(lists: readonly (readonly JsonObject[])[], numbers: readonly number[]): readonly JsonObject[] {
  const left = lists.map((list) => [...list]);
  const result: JsonObject[] = [];
  let begun = 0;
  for (let step = 0; left.some((list) => list.length > 0); step++) {
    const can = left.flatMap((list, index) => (list.length > 0 && index <= begun ? [index] : []));
    const index = can[(numbers[step % Math.max(numbers.length, 1)] ?? 0) % can.length] ?? 0;
    if (index === begun) begun++;
    result.push(...(left[index]?.splice(0, 1) ?? []));
  }
  return result;
}

const anAnswer: fc.Arbitrary<Given> = fc
  .record({
    thinking: aText,
    text: aText,
    calls: fc.array(aCall, { maxLength: 4 }),
    cuts: fc.array(aCut, { minLength: 6, maxLength: 6 }),
    order: fc.array(fc.nat(), { maxLength: 20 }),
    finish: fc.constantFrom("stop", "length", "tool_calls", "content_filter"),
  })
  .map(({ thinking, text, calls, cuts, order, finish }) => {
    const tool_calls = calls.map(({ id, name, input }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(input) } }));
    const callChunks = tool_calls.map(({ id, type, function: { name, arguments: all } }, index) => [
      chunk({ tool_calls: [{ index, id, type, function: { name, arguments: "" } }] }),
      ...pieces(all, cuts[index + 2] ?? []).map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
    ]);
    const message = { role: "assistant", content: text, reasoning_content: thinking, tool_calls };
    return {
      whole: { ...chunk({}), choices: [{ index: 0, message, finish_reason: finish }], usage: USAGE_CHUNK.usage },
      chunks: [
        ...pieces(thinking, cuts[0] ?? []).map((piece) => chunk({ reasoning_content: piece })),
        ...pieces(text, cuts[1] ?? []).map((content) => chunk({ content })),
        ...mixed(callChunks, order),
        chunk({}, finish),
        USAGE_CHUNK,
      ],
      calls: calls.length,
    };
  });

test("the official client makes of any stream what it gets from the whole answer, however calls are mixed", async () => {
  await fc.assert(
    fc.asyncProperty(anAnswer, async ({ whole, chunks }) => {
      const expected = messagesToChat.whole(whole, CONTEXT).body;
      expect(plain(await accumulated(streamed(chunks)))).toMatchObject(plain(await received(expected)));
      expect(plain(await received(expected))).toMatchObject(expected);
    }),
    { numRuns: 200 },
  );
});

/** Checks the order of the events and gives the content that they add up to. */
function contentOf(payloads: readonly Payload[]): readonly JsonObject[] {
  const content: JsonObject[] = [];
  let open: { block: JsonObject; argumentsText: string } | undefined;
  const events = eventsOf(payloads).filter(({ type }) => type !== "ping");
  expect(events[0]?.type).toBe("message_start");
  expect(events.slice(-2).map(({ type }) => type)).toEqual(["message_delta", "message_stop"]);
  for (const { type, index, ...rest } of events.slice(1, -2)) {
    expect(index).toBe(content.length);
    if (type === "content_block_start") {
      expect(open).toBeUndefined();
      open = { block: rest.content_block as JsonObject, argumentsText: "" };
      continue;
    }
    if (open === undefined) throw new Error(`${type} outside of a block`);
    if (type === "content_block_stop") {
      content.push(open.block.type === "tool_use" ? { ...open.block, input: JSON.parse(open.argumentsText) } : open.block);
      open = undefined;
      continue;
    }
    expect(type).toBe("content_block_delta");
    const { type: kind, ...delta } = rest.delta as JsonObject;
    if (kind === "input_json_delta") open.argumentsText += delta.partial_json;
    else for (const [key, value] of Object.entries(delta)) open.block = { ...open.block, [key]: `${open.block[key]}${value}` };
  }
  expect(open).toBeUndefined();
  return content;
}

test("blocks come one after the other, each is stopped, and their deltas join to the whole translation", () => {
  fc.assert(
    fc.property(anAnswer, ({ whole, chunks }) => {
      const { body } = messagesToChat.whole(whole, CONTEXT);
      expect(contentOf(streamed(chunks))).toEqual(body.content as JsonObject[]);
    }),
  );
});

test("a stream that is cut anywhere ends with an error, and never looks whole", () => {
  fc.assert(
    fc.property(anAnswer, fc.nat(), ({ chunks }, place) => {
      const events = eventsOf(streamed(chunks.slice(0, place % (chunks.length - 1))));
      expect(events.at(-1)?.type).toBe("error");
      expect(events.filter(({ type }) => ["error", "message_delta", "message_stop"].includes(type))).toHaveLength(1);
    }),
  );
});

test("however the bytes are split, the events are the same", () => {
  fc.assert(
    fc.property(anAnswer, fc.array(fc.nat(), { maxLength: 12 }), ({ chunks }, cuts) => {
      const bytes = bytesOf([...chunks, "[DONE]"].map(payloadOf));
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const splitter = SSE.splitter();
      const frames = [
        ...ends.flatMap((end, index) => splitter.push(bytes.subarray(index === 0 ? 0 : ends[index - 1], end))),
        ...splitter.end(),
      ];
      const stream = messagesToChat.stream(CONTEXT);
      const got = frames.flatMap(({ event, data }) => (data === undefined ? [] : stream.onPayload({ event, data })));
      expect([...got, ...stream.onEnd()]).toEqual([...streamed([...chunks, "[DONE]"])]);
    }),
  );
});

// ---- what is nearly right, and anything at all ----

const EPHEMERAL = { type: "ephemeral" };
const FULL_REQUEST: JsonObject = {
  model: "m",
  max_tokens: 10,
  system: [{ type: "text", text: "S", cache_control: EPHEMERAL }],
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "Hi", citations: null },
        { type: "image", source: { type: "base64", media_type: "image/png", data: "x" } },
        { type: "document", source: { type: "content", content: [{ type: "text", text: "D" }] }, title: "T" },
        { type: "search_result", source: "s", title: "t", content: [{ type: "text", text: "R" }] },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm", signature: "" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "a", name: "f", input: { x: 1 } },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "a", is_error: true, content: [{ type: "image", source: { type: "url", url: "u" } }] },
        { type: "text", text: "Go" },
      ],
    },
  ],
  tools: [
    { name: "f", description: "F", input_schema: { type: "object" }, strict: false },
    { type: "web_search_20250305", name: "web_search" },
  ],
  tool_choice: { type: "tool", name: "f", disable_parallel_tool_use: true },
  thinking: { type: "enabled", budget_tokens: 2_000 },
  output_config: { effort: "high", format: { type: "json_schema", schema: {} } },
  metadata: { user_id: "u" },
  stop_sequences: ["a"],
  temperature: 1,
  stream: true,
};

const FULL_CHUNKS: readonly JsonObject[] = [
  chunk({ role: "assistant", content: "" }),
  chunk({ reasoning_content: "Hm" }),
  chunk({ content: [{ type: "text", text: "A" }], refusal: null }),
  chunk({ tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "{" } }] }),
  chunk({ tool_calls: [{ index: 1, id: "b", type: "function", function: { name: "f", arguments: "{}" } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: "}" } }] }),
  chunk({}, "tool_calls"),
  USAGE_CHUNK,
];

const FULL_MESSAGE: JsonObject = {
  role: "assistant",
  content: [{ type: "text", text: "A" }],
  refusal: null,
  reasoning: "Hm",
  tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } }],
};
const FULL_ANSWER: JsonObject = {
  id: "chatcmpl-a",
  model: "m",
  choices: [{ index: 0, message: FULL_MESSAGE, finish_reason: "tool_calls" }],
  usage: { prompt_tokens: 3, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2 }, completion_tokens_details: {} },
};

const WORDS =
  "user assistant system text image document tool_result tool_use thinking url any tool stop error constructor __proto__ {} { [DONE]".split(
    " ",
  );
const aValue = fc.oneof(
  fc.constantFrom<unknown>(...WORDS, null, true, false, 0, -1, 1.5, "", [], {}, [{}], undefined),
  fc.jsonValue({ maxDepth: 3 }),
);

/** The same JSON with a few of its values, wherever they stand, in exchange for others. */
function changed(json: unknown): fc.Arbitrary<JsonObject> {
  return fc.array(fc.tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), aValue), { maxLength: 3 }).map((changes) => {
    const result: JsonObject = structuredClone(json) as JsonObject;
    for (const [steps, value] of changes) exchange(result, steps, structuredClone(value));
    return result;
  });
}

function exchange(json: object, [step = 0, ...rest]: readonly number[], value: unknown): void {
  const keys = Object.keys(json);
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return;
  const members = json as Record<string, unknown>;
  const member = members[key];
  if (rest.length > 0 && typeof member === "object" && member !== null) exchange(member, rest, value);
  else members[key] = value;
}

test("any JSON as a request is a request or a mistake", () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(changed(FULL_REQUEST), fc.object()), fc.constantFrom("drop", "instructions", "input"), (json, mode) => {
      const result = translated(json as JsonObject, mode);
      kinds.add(result.kind);
      if (result.kind === "mistake") expect(result.message.startsWith(`${result.param}: `)).toBe(true);
      else expect(plain(result.body)).toEqual(result.body);
    }),
    { numRuns: 2_000 },
  );
  expect([...kinds].sort()).toEqual(["mistake", "request"]);
});

test("any JSON as an answer is a message or an error", () => {
  const statuses = new Set<number>();
  fc.assert(
    fc.property(fc.oneof(changed(FULL_ANSWER), fc.object()), (json) => {
      const { status, body } = messagesToChat.whole(json as JsonObject, { ...CONTEXT, request: json as JsonObject });
      statuses.add(status);
      expect(body.type).toBe(status === 200 ? "message" : "error");
      expect(plain(body)).toEqual(body);
    }),
    { numRuns: 2_000 },
  );
  expect(statuses).toContain(200);
  expect(statuses).toContain(502);
});

test("any payloads as a stream end once", () => {
  const ends = new Set<unknown>();
  const payloads = fc.oneof(changed(FULL_CHUNKS), fc.array(fc.oneof(fc.object(), fc.constantFrom(...WORDS)), { maxLength: 8 }));
  fc.assert(
    fc.property(payloads, (given) => {
      const payloads = [...(given as unknown as readonly JsonObject[])].filter((one) => one !== undefined);
      const events = eventsOf(streamed(payloads));
      ends.add(events.at(-1)?.type);
      expect(events.filter(({ type }) => type === "message_stop" || type === "error")).toEqual(events.slice(-1));
    }),
    { numRuns: 2_000 },
  );
  expect([...ends].sort()).toEqual(["error", "message_stop"]);
});

test("nothing too deep comes through", () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const calls = `"tool_calls":[{"function":{"name":"f","arguments":${JSON.stringify(deep)}}},{"function":{"name":"f","arguments":${deep}}}]`;
  const { body } = messagesToChat.whole(JSON.parse(`{"choices":[{"message":{${calls}}}]}`), CONTEXT);
  expect(JSON.stringify(body).split('{"unreadable_arguments":')).toHaveLength(3);
  const events = eventsOf(streamed([`{"choices":[{"delta":{${calls}},"finish_reason":"stop"}]}`]));
  expect(events.at(-1)?.type).toBe("message_stop");
});
