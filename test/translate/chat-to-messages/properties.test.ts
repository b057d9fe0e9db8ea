import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Payload } from "../../../src/core/dialect.ts";
import { isObject, type JsonObject, parseObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { chatToMessages } from "../../../src/translate/chat-to-messages.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";
import { wholeAsStream } from "../../../src/translate/whole-as-stream.ts";
import { chatRequest, damagedRequest, PROPERTY_OPTIONS } from "../chat-to-responses/arbitraries.ts";
import {
  accumulated,
  begin,
  bytesOf,
  chunksOf,
  contextOf,
  delta,
  end,
  event,
  finished,
  json,
  MESSAGE,
  OPTIONS,
  play,
  received,
  START,
  STOP,
  textEvents,
  told,
  toolUse,
} from "./helpers.ts";

// ---- requests ----

/** Where a parameter stands in the target's body under another name, or asks for nothing; what stands nowhere must be named. */
const CONSUMED: Readonly<Record<string, (value: unknown, body: JsonObject, request: JsonObject) => boolean>> = {
  messages: (_value, { messages }) => Array.isArray(messages) && messages.length > 0,
  tools: (value, { tools }) => Array.isArray(value) && (value.length === 0 || (Array.isArray(tools) && value.length === tools.length)),
  tool_choice: (value, { tool_choice, tools }) => tools === undefined || isObject(tool_choice) || value === "auto",
  parallel_tool_calls: (value, { tool_choice }) => value === true || tool_choice === undefined || isObject(tool_choice),
  max_tokens: (value, { max_tokens }, { max_completion_tokens }) => max_tokens === (max_completion_tokens ?? value),
  max_completion_tokens: (value, { max_tokens }) => max_tokens === value,
  stop: (value, { stop_sequences }) => JSON.stringify(stop_sequences ?? []) === JSON.stringify([value].flat()),
  user: (value, { metadata }, { safety_identifier }) =>
    value === "" || Boolean(safety_identifier) || (isObject(metadata) && metadata.user_id === value),
  safety_identifier: (value, { metadata }) => value === "" || (isObject(metadata) && metadata.user_id === value),
  service_tier: (value) => value === "auto",
  stream_options: (value) => isObject(value),
  response_format: (value) => isObject(value) && value.type === "text",
  // These ask for nothing.
  modalities: () => true,
  store: (value) => value === false,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  n: (value) => value === 1,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
  metadata: (value) => isObject(value) && Object.keys(value).length === 0,
};

test("of every request each parameter is consumed or named as dropped", () => {
  let requests = 0;
  const check = (request: JsonObject) => {
    const result = chatToMessages.request(request, OPTIONS);
    if (result.kind === "mistake") return;
    requests++;
    const { body, dropped } = result;
    for (const [name, value] of Object.entries(request)) {
      const isSame = () => Object.hasOwn(body, name) && JSON.stringify(body[name]) === JSON.stringify(value);
      const isConsumed = value === null || (Object.hasOwn(CONSUMED, name) ? CONSUMED[name]?.(value, body, request) : isSame());
      if (!isConsumed) expect(dropped).toContain(name);
    }
    expect(dropped).toEqual([...new Set(dropped)]);
    JSON.stringify(body);
  };
  fc.assert(fc.property(chatRequest, check), PROPERTY_OPTIONS);
  expect(requests).toBeGreaterThan(50);
});

test("a damaged request is a mistake with a place and a text, or is translated", () => {
  const check = (request: JsonObject) => {
    const result = chatToMessages.request(request, OPTIONS);
    if (result.kind === "request") JSON.stringify(result.body);
    else expect([result.status, result.message.length > 10, result.param === ""]).toEqual([400, true, false]);
  };
  fc.assert(fc.property(damagedRequest, check), { ...PROPERTY_OPTIONS, numRuns: 2_000 });
});

// ---- there and back ----

const aWord = fc.stringMatching(/^[a-zäöü]{1,6}$/);
const aText = fc.array(aWord, { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));
/** As JSON has it: without a nought that is negative. */
const anInput: fc.Arbitrary<JsonObject> = fc
  .dictionary(fc.stringMatching(/^[a-z"{}\\]{1,5}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
  .map((input) => parseObject(JSON.stringify(input)) ?? {});
const anImage = fc.constantFrom(
  { type: "image", source: { type: "url", url: "https://a.example/b.png" } },
  { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
  { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0x" }, title: "a.pdf" },
);

type Said = {
  readonly text: string | undefined;
  readonly images: readonly JsonObject[];
  readonly answer: string | undefined;
  readonly calls: readonly Called[];
};
type Called = { readonly name: string; readonly input: JsonObject; readonly result: string };

const anExchange: fc.Arbitrary<Said> = fc.record({
  text: fc.option(aText, { nil: undefined }),
  images: fc.array(anImage, { maxLength: 2 }),
  answer: fc.option(aText, { nil: undefined }),
  calls: fc.array(fc.record({ name: fc.constantFrom("f", "g"), input: anInput, result: aText }), { maxLength: 3 }),
});

/** A conversation in the shortest form that says it. */
const aConversation = fc.array(anExchange, { minLength: 1, maxLength: 4 }).map((exchanges): readonly JsonObject[] => {
  const turns: { role: string; content: JsonObject[] }[] = [{ role: "user", content: [] }];
  let ids = 0;
  for (const { text, images, answer, calls } of exchanges) {
    const spoken = [...images, ...(text === undefined && images.length > 0 ? [] : [{ type: "text", text: text ?? "hm" }])];
    turns.at(-1)?.content.push(...spoken);
    const uses = calls.map(({ name, input }) => ({ type: "tool_use", id: `t${ids++}`, name, input }));
    const first = answer === undefined && uses.length > 0 ? [] : [{ type: "text", text: answer ?? "aha" }];
    turns.push({ role: "assistant", content: [...first, ...uses] });
    const results = calls.map(({ result }, index) => ({ type: "tool_result", tool_use_id: uses[index]?.id, content: result }));
    turns.push({ role: "user", content: results });
  }
  turns.at(-1)?.content.push({ type: "text", text: "And?" });
  return turns.map(({ role, content }) => ({
    role,
    content: content.length === 1 && content[0]?.type === "text" ? content[0].text : content,
  }));
});

const SETTINGS: JsonObject = {
  model: "claude-sonnet-4-5",
  max_tokens: 9,
  system: "S",
  tools: [
    { name: "f", description: "D", input_schema: { type: "object", properties: {} } },
    { name: "g", input_schema: { type: "object" } },
  ],
  tool_choice: { type: "any", disable_parallel_tool_use: true },
  stop_sequences: ["END"],
  temperature: 0.5,
  metadata: { user_id: "u" },
  output_config: { format: { type: "json_schema", schema: { type: "object", properties: {}, additionalProperties: false } } },
  stream: true,
};

test("a conversation of the Messages API comes back from Chat Completions as it was", () => {
  fc.assert(
    fc.property(aConversation, (messages) => {
      const there = messagesToChat.request({ ...SETTINGS, messages }, OPTIONS);
      if (there.kind === "mistake") throw new Error(there.message);
      const back = chatToMessages.request(there.body, OPTIONS);
      expect(back).toEqual({ kind: "request", body: { ...SETTINGS, messages }, dropped: [] });
    }),
    PROPERTY_OPTIONS,
  );
});

// ---- answers and their streams ----

type Given = { readonly message: JsonObject; readonly events: readonly Payload[] };
type Block = {
  readonly kind: "text" | "thinking" | "call" | "server" | "redacted";
  readonly text: string;
  readonly input: JsonObject;
  readonly cuts: readonly number[];
};

const aBlock: fc.Arbitrary<Block> = fc.record({
  kind: fc.constantFrom("text", "thinking", "call", "call", "server", "redacted"),
  text: fc.string({ unit: "binary", maxLength: 20 }),
  input: anInput,
  cuts: fc.array(fc.nat(), { maxLength: 4 }),
});

function pieces(text: string, cuts: readonly number[]): readonly string[] {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [...places, text.length].map((until, index) => text.slice(index === 0 ? 0 : places[index - 1], until));
}

function blockOf({ kind, text, input }: Block, index: number): JsonObject {
  if (kind === "text") return { type: "text", text };
  if (kind === "thinking") return { type: "thinking", thinking: text, signature: "s" };
  if (kind === "redacted") return { type: "redacted_thinking", data: "x" };
  return kind === "server" ? { type: "server_tool_use", id: `s${index}`, name: "web_search", input } : toolUse(`t${index}`, "f", input);
}

function eventsOf(block: Block, index: number): readonly Payload[] {
  const { kind, text, input, cuts } = block;
  if (kind === "text") return textEvents(index, ...pieces(text, cuts));
  if (kind === "redacted") return [begin(index, blockOf(block, index)), end(index)];
  if (kind === "thinking") {
    const deltas = pieces(text, cuts).map((thinking) => delta(index, { type: "thinking_delta", thinking }));
    return [
      begin(index, { type: "thinking", thinking: "", signature: "" }),
      ...deltas,
      delta(index, { type: "signature_delta", signature: "s" }),
      end(index),
    ];
  }
  const argumentsText = Object.keys(input).length === 0 ? "" : JSON.stringify(input);
  return [
    begin(index, { ...blockOf(block, index), input: {} }),
    ...pieces(argumentsText, cuts).map((piece) => delta(index, json(piece))),
    end(index),
  ];
}

/** Calls mixed with each other behind their beginnings, as the numbers say; everything else in its order. */
function mixed(lists: readonly (readonly Payload[])[], numbers: readonly number[]): readonly Payload[] {
  const left = lists.map((list) => [...list]);
  const result = left.flatMap((list) => list.splice(0, 1));
  for (let step = 0; left.some((list) => list.length > 0); step++) {
    const filled = left.filter((list) => list.length > 0);
    result.push(...(filled[(numbers[step % Math.max(numbers.length, 1)] ?? 0) % filled.length]?.splice(0, 1) ?? []));
  }
  return result;
}

const anAnswer: fc.Arbitrary<Given> = fc
  .record({
    blocks: fc.array(aBlock, { maxLength: 6 }),
    order: fc.array(fc.nat(), { maxLength: 20 }),
    stop_reason: fc.constantFrom(
      "end_turn",
      "max_tokens",
      "tool_use",
      "stop_sequence",
      "refusal",
      "pause_turn",
      "model_context_window_exceeded",
    ),
    explanation: fc.option(fc.constant("No."), { nil: null }),
    output: fc.nat(1_000),
    cached: fc.nat(1_000),
    hasPing: fc.boolean(),
  })
  .map(({ blocks, order, stop_reason, explanation, output, cached, hasPing }) => {
    const isCall = (block: Block) => block.kind === "call";
    const lists = blocks.map(eventsOf);
    const inOrder = lists.filter((_, index) => !isCall(blocks[index] as Block)).flat();
    const calls = lists.filter((_, index) => isCall(blocks[index] as Block));
    const stop_details = stop_reason === "refusal" ? { type: "refusal", category: null, explanation } : null;
    const start = { input_tokens: 12, cache_read_input_tokens: cached, cache_creation_input_tokens: 0, output_tokens: 1 };
    return {
      message: { ...MESSAGE, content: blocks.map(blockOf), stop_reason, stop_details, usage: { ...start, output_tokens: output } },
      events: [
        event("message_start", { message: { ...MESSAGE, usage: start } }),
        ...(hasPing ? [event("ping")] : []),
        ...inOrder,
        ...mixed(calls, order),
        finished(stop_reason, { output_tokens: output }, { stop_details }),
        STOP,
      ],
    };
  });

const WITH_USAGE = { stream_options: { include_usage: true } };

/** A stream has no word for a text that nobody wrote. */
function comparable(completion: object): JsonObject {
  const { choices, ...rest } = JSON.parse(JSON.stringify(completion));
  const [{ message, finish_reason }] = choices;
  return { ...rest, finish_reason, message: { ...message, content: message.content || null, parsed: undefined } };
}

test("the official client makes of any stream what it gets from the whole answer, however calls are mixed", async () => {
  await fc.assert(
    fc.asyncProperty(anAnswer, async ({ message, events }) => {
      const whole = chatToMessages.whole(message, contextOf());
      const { annotations: _none, ...expected } = comparable(await received(whole.body)).message as JsonObject;
      const got = comparable(await accumulated(play(events, WITH_USAGE)));
      // The SDK's collector keeps what it knows alone.
      const { reasoning_content: _reasoning, ...known } = expected;
      expect(got.message).toMatchObject(known);
      expect(got.finish_reason).toEqual(comparable(whole.body).finish_reason);
      expect(got.usage).toEqual(whole.body.usage);
    }),
    { ...PROPERTY_OPTIONS, numRuns: 200 },
  );
});

/** All deltas of a stream put together by hand, reasoning too. */
function joined(payloads: readonly Payload[]): JsonObject {
  const sum = { content: "", reasoning_content: "", refusal: "", calls: new Map<unknown, string>() };
  for (const chunk of told({ payloads })) {
    if (!isObject(chunk)) continue;
    for (const key of ["content", "reasoning_content", "refusal"] as const) if (typeof chunk[key] === "string") sum[key] += chunk[key];
    for (const { index, function: called } of (chunk.tool_calls ?? []) as readonly { index: number; function: { arguments: string } }[]) {
      sum.calls.set(index, (sum.calls.get(index) ?? "") + called.arguments);
    }
  }
  return { ...sum, calls: [...sum.calls.values()] };
}

function joinedOf(body: JsonObject): JsonObject {
  const [{ message }] = body.choices as [
    {
      message: {
        content: string | null;
        reasoning_content?: string;
        refusal: string | null;
        tool_calls?: { function: { arguments: string } }[];
      };
    },
  ];
  return {
    content: message.content ?? "",
    reasoning_content: message.reasoning_content ?? "",
    refusal: message.refusal ?? "",
    calls: (message.tool_calls ?? []).map(({ function: called }) => called.arguments),
  };
}

test("the deltas of any stream join to the whole translation", () => {
  fc.assert(
    fc.property(anAnswer, ({ message, events }) => {
      expect(joined(play(events).payloads)).toEqual(joinedOf(chatToMessages.whole(message, contextOf()).body));
    }),
    PROPERTY_OPTIONS,
  );
});

test("a whole answer where a stream was asked for streams what it says", () => {
  fc.assert(
    fc.property(anAnswer, ({ message }) => {
      const played = play(wholeAsStream("messages", message), WITH_USAGE);
      const { body } = chatToMessages.whole(message, contextOf());
      expect(joined(played.payloads)).toEqual(joinedOf(body));
      expect(told(played).slice(-3)).toEqual([(body.choices as JsonObject[])[0]?.finish_reason, { usage: body.usage }, "[DONE]"]);
    }),
    PROPERTY_OPTIONS,
  );
});

test("an answer that goes on to a client of the Messages API says what it said", () => {
  const knownAlone = ({ type }: JsonObject) => ["thinking", "text", "tool_use"].includes(String(type));
  fc.assert(
    fc.property(anAnswer, ({ message }) => {
      const chat = chatToMessages.whole(message, contextOf()).body;
      const back = messagesToChat.whole(chat, contextOf()).body;
      const texts = (content: unknown, type: string, key: string) =>
        (content as JsonObject[]).map((block) => (block.type === type ? block[key] : "")).join("");
      for (const [type, key] of [
        ["thinking", "thinking"],
        ["tool_use", "id"],
      ] as const) {
        expect(texts(back.content, type, key)).toBe(texts(message.content, type, key));
      }
      const calls = (content: unknown) =>
        (content as JsonObject[])
          .filter(knownAlone)
          .filter(({ type }) => type === "tool_use")
          .map(({ input }) => input);
      expect(calls(back.content)).toEqual(calls(message.content));
    }),
    PROPERTY_OPTIONS,
  );
});

test("a stream that is cut before its reason ends with an error, and never looks whole", () => {
  fc.assert(
    fc.property(anAnswer, fc.nat(), ({ events }, place) => {
      const given = told(play(events.slice(0, place % (events.length - 1))));
      expect(given.at(-1)).toHaveProperty("error");
      expect(given.filter((chunk) => typeof chunk === "string")).toEqual([]);
    }),
    PROPERTY_OPTIONS,
  );
});

test("the role comes first, and once", () => {
  fc.assert(
    fc.property(anAnswer, ({ events }) => {
      const roles = told(play(events)).map((chunk) => isObject(chunk) && chunk.role === "assistant");
      expect(roles.indexOf(true)).toBe(0);
      expect(roles.filter(Boolean)).toHaveLength(1);
    }),
    PROPERTY_OPTIONS,
  );
});

test("however the bytes are split, the chunks are the same", () => {
  fc.assert(
    fc.property(anAnswer, fc.array(fc.nat(), { maxLength: 12 }), ({ events }, cuts) => {
      const bytes = bytesOf(events);
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const splitter = SSE.splitter();
      const frames = [
        ...ends.flatMap((until, index) => splitter.push(bytes.subarray(index === 0 ? 0 : ends[index - 1], until))),
        ...splitter.end(),
      ];
      const payloads = frames.flatMap(({ event: name, data }) => (data === undefined ? [] : [{ event: name, data }]));
      expect(play(payloads).payloads).toEqual(play(events).payloads);
    }),
    PROPERTY_OPTIONS,
  );
});

// ---- anything at all ----

const TYPES = [
  "message_start",
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop",
  "error",
  "ping",
  "__proto__",
];
const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<JsonObject[]>(
    { type: "text_delta", text: "A" },
    { type: "input_json_delta", partial_json: 5 },
    { type: "tool_use", name: "f", input: "x" },
    { type: "tool_use", name: 5, input: [] },
    { stop_reason: "refusal", stop_details: 5 },
    { stop_reason: {} },
    { input_tokens: -1, output_tokens: "x" },
  ),
);
const anyEvent = fc.record(
  {
    type: fc.oneof(fc.constantFrom(...TYPES), fc.jsonValue({ maxDepth: 1 })),
    index: fc.oneof(fc.constantFrom(0, 1, "0", null), fc.jsonValue({ maxDepth: 1 })),
    message: anyValue,
    content_block: anyValue,
    delta: anyValue,
    usage: anyValue,
    error: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: anyValue }),
  },
  { requiredKeys: ["type"] },
);
const anyPayload: fc.Arbitrary<Payload> = fc.record({
  event: fc.constantFrom(undefined, ...TYPES),
  data: fc.oneof({ weight: 9, arbitrary: anyEvent.map((value) => JSON.stringify(value)) }, { weight: 1, arbitrary: fc.string() }),
});

test("any payloads throw nothing, and what they give ends once: whole or with an error", () => {
  fc.assert(
    fc.property(fc.array(anyPayload, { maxLength: 12 }), fc.boolean(), (payloads, isStarted) => {
      const played = play(isStarted ? [START, ...payloads] : payloads, WITH_USAGE);
      const ends = told(played).map((chunk) => chunk === "[DONE]" || (isObject(chunk) && "error" in chunk));
      expect(ends.indexOf(true)).toBe(ends.length - 1);
      expect(played.isOver).toBe(true);
      expect(chunksOf(played).length).toBeGreaterThanOrEqual(ends.length - 1);
    }),
    { ...PROPERTY_OPTIONS, numRuns: 2_000 },
  );
});

test("any JSON as an answer throws nothing", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyEvent,
        fc.dictionary(fc.constantFrom("content", "type", "usage", "stop_reason"), anyValue),
        fc.array(anyValue).map((content) => ({ content })),
      ),
      (value) => {
        const answer = parseObject(JSON.stringify(value)) ?? {};
        const { status, body } = chatToMessages.whole(answer, contextOf());
        if (status === 200) play(wholeAsStream("messages", answer));
        JSON.stringify(body);
      },
    ),
    { ...PROPERTY_OPTIONS, numRuns: 2_000 },
  );
});
