import { expect, test } from "bun:test";
import type { OpenAI } from "openai";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { CREATED, chunksOf, completed, deltasOf, event, join, play } from "./helpers.ts";

const ROLE = { role: "assistant" };
const textDelta = (delta: string, more: JsonObject = {}) =>
  event("response.output_text.delta", { output_index: 0, item_id: "msg_0", delta, ...more });
const callItem = (name: string, more: JsonObject = {}) => ({
  type: "function_call",
  id: `fc_${name}`,
  call_id: `call_${name}`,
  name,
  arguments: "",
  ...more,
});
const added = (output_index: number, item: JsonObject) => event("response.output_item.added", { output_index, item });
const done = (output_index: number, item: JsonObject) => event("response.output_item.done", { output_index, item });
const argumentsDelta = (output_index: number | undefined, delta: string, more: JsonObject = {}) =>
  event("response.function_call_arguments.delta", { output_index, delta, ...more });
const argumentsDone = (output_index: number, text: string) =>
  event("response.function_call_arguments.done", { output_index, arguments: text });
const messageItem = (...content: JsonObject[]) => ({ type: "message", id: "msg_0", role: "assistant", content });
const text = (said: string, more: JsonObject = {}) => ({ type: "output_text", text: said, annotations: [], ...more });
const told = (index: number, name: string) => ({
  tool_calls: [{ index, id: `call_${name}`, type: "function", function: { name, arguments: "" } }],
});
const piece = (index: number, said: string) => ({ tool_calls: [{ index, function: { arguments: said } }] });

test("every chunk says the same of itself, and the finish comes with its own", () => {
  const chunk = (delta: JsonObject, finish_reason: "stop" | null) =>
    ({
      id: "resp_1",
      object: "chat.completion.chunk",
      created: 1_700_000_000,
      model: "asked",
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    }) satisfies OpenAI.Chat.ChatCompletionChunk;
  const played = play([CREATED, textDelta("Hi"), textDelta('\u2028 "you"\n'), completed({ id: "resp_other", service_tier: "flex" })]);
  expect(chunksOf(played)).toEqual([
    chunk({ role: "assistant" }, null),
    chunk({ content: "Hi" }, null),
    chunk({ content: '\u2028 "you"\n' }, null),
    { ...chunk({}, "stop"), service_tier: "flex" },
  ]);
  expect(played).toMatchObject({ isOver: true, payloads: { length: 5, 4: "[DONE]" } });
});

test("without response.created the exchange says what the chunks say of themselves", () => {
  const [first, last] = chunksOf(play([textDelta("Hi"), completed()])).filter((_chunk, index) => index % 2 === 0);
  expect(first).toMatchObject({ id: "chatcmpl-x1", created: 1_600_000_000, model: "asked" });
  expect(last).toMatchObject({ id: "chatcmpl-x1", created: 1_600_000_000, model: "asked" });
});

const USAGE = {
  input_tokens: 1,
  input_tokens_details: { cached_tokens: 1 },
  output_tokens: 2,
  output_tokens_details: { reasoning_tokens: 1 },
  total_tokens: 3,
};
const CHAT_USAGE = {
  prompt_tokens: 1,
  completion_tokens: 2,
  total_tokens: 3,
  prompt_tokens_details: { cached_tokens: 1 },
  completion_tokens_details: { reasoning_tokens: 1 },
};

test("usage that was asked for comes in a chunk of its own, after null in all others", () => {
  const played = play([CREATED, textDelta("Hi"), completed({ usage: USAGE })], { stream_options: { include_usage: true } });
  const chunks = chunksOf(played);
  expect(chunks.map(({ usage }) => usage)).toEqual([null, null, null, CHAT_USAGE]);
  expect(chunks.at(-1)?.choices).toEqual([]);
  expect(played.payloads.at(-1)).toBe("[DONE]");
});

test("usage that was not asked for does not come, nor one that the backend does not know", () => {
  const { payloads } = play([CREATED, textDelta("Hi"), completed({ usage: USAGE })]);
  expect(payloads.join("")).not.toContain("usage");
  const unknown = play([CREATED, textDelta("Hi"), completed({ usage: null })], { stream_options: { include_usage: true } });
  expect(chunksOf(unknown).map(({ usage }) => usage)).toEqual([null, null, null]);
});

/** Events between response.created and response.completed, and the deltas that they become after the role. */
const ROWS: readonly (readonly [string, readonly Payload[], readonly unknown[]])[] = [
  ["nothing", [], []],
  ["the response's states give no second role", [event("response.in_progress", { response: {} }), event("response.queued")], []],
  ["text", [textDelta("a"), textDelta(""), textDelta("b")], [{ content: "a" }, { content: "b" }]],
  [
    "a refusal",
    [event("response.refusal.delta", { output_index: 0, delta: "No" }), event("response.refusal.done", { output_index: 0, refusal: "No" })],
    [{ refusal: "No" }],
  ],
  [
    "a call",
    [
      added(0, callItem("a")),
      argumentsDelta(0, "{"),
      argumentsDelta(0, "}"),
      argumentsDone(0, "{}"),
      done(0, callItem("a", { arguments: "{}" })),
    ],
    [told(0, "a"), piece(0, "{"), piece(0, "}")],
  ],
  [
    "parallel calls whose deltas interleave",
    [
      added(1, callItem("a")),
      added(2, callItem("b")),
      argumentsDelta(2, "b1"),
      argumentsDelta(1, "a1"),
      argumentsDelta(2, "b2"),
      argumentsDelta(1, "a2"),
      argumentsDone(2, "b1b2"),
      argumentsDone(1, "a1a2"),
    ],
    [told(0, "a"), told(1, "b"), piece(1, "b1"), piece(0, "a1"), piece(1, "b2"), piece(0, "a2")],
  ],
  [
    "calls that are told apart by the item's id",
    [
      event("response.output_item.added", { item: callItem("a") }),
      event("response.output_item.added", { item: callItem("b") }),
      argumentsDelta(undefined, "1", { item_id: "fc_a" }),
      argumentsDelta(undefined, "2", { item_id: "fc_b" }),
    ],
    [told(0, "a"), told(1, "b"), piece(0, "1"), piece(1, "2")],
  ],
  [
    "calls that all have the same index",
    [
      added(0, callItem("a")),
      added(0, callItem("b")),
      argumentsDelta(0, "1", { item_id: "fc_a" }),
      argumentsDelta(0, "2", { item_id: "fc_b" }),
      done(0, callItem("a", { arguments: "1" })),
      done(0, callItem("b", { arguments: "2" })),
    ],
    [told(0, "a"), told(1, "b"), piece(0, "1"), piece(1, "2")],
  ],
  [
    "calls whose item ids change with every event",
    [
      added(0, callItem("a", { id: "x1" })),
      added(1, callItem("b", { id: "x2" })),
      argumentsDelta(0, "1", { item_id: "x3" }),
      argumentsDelta(1, "2", { item_id: "x4" }),
      done(0, callItem("a", { id: "x5", arguments: "1" })),
      done(1, callItem("b", { id: "x6", arguments: "2" })),
    ],
    [told(0, "a"), told(1, "b"), piece(0, "1"), piece(1, "2")],
  ],
  [
    "calls without any place: the last one is meant",
    [
      event("response.output_item.added", { item: callItem("a", { id: undefined }) }),
      event("response.function_call_arguments.delta", { delta: "1" }),
      event("response.output_item.added", { item: callItem("b", { id: undefined }) }),
      event("response.function_call_arguments.delta", { delta: "2" }),
      event("response.function_call_arguments.done", { arguments: "23" }),
    ],
    [told(0, "a"), piece(0, "1"), told(1, "b"), piece(1, "2"), piece(1, "3")],
  ],
  [
    "an id that contradicts the index",
    [added(0, callItem("a")), added(1, callItem("b")), argumentsDelta(0, "1", { item_id: "fc_b" })],
    [told(0, "a"), told(1, "b"), piece(0, "1")],
  ],
  [
    "a call and a text at the same index",
    [textDelta("a"), added(0, callItem("a")), argumentsDelta(0, "1"), textDelta("b")],
    [{ content: "a" }, told(0, "a"), piece(0, "1"), { content: "b" }],
  ],
  ["an item that begins twice", [added(0, callItem("a")), added(0, callItem("a"))], [told(0, "a")]],
  [
    "arguments that only function_call_arguments.done brings",
    [added(0, callItem("a")), argumentsDone(0, "{}"), done(0, callItem("a", { arguments: "{}" }))],
    [told(0, "a"), piece(0, "{}")],
  ],
  [
    "arguments that only output_item.done brings",
    [added(0, callItem("a")), done(0, callItem("a", { arguments: "{}" }))],
    [told(0, "a"), piece(0, "{}")],
  ],
  [
    "arguments whose end only the done brings",
    [added(0, callItem("a")), argumentsDelta(0, "{"), argumentsDone(0, "{}")],
    [told(0, "a"), piece(0, "{"), piece(0, "}")],
  ],
  [
    "arguments that the done repeats otherwise",
    [added(0, callItem("a")), argumentsDelta(0, '{"a":1}'), argumentsDone(0, '{ "a": 1 }')],
    [told(0, "a"), piece(0, '{"a":1}')],
  ],
  [
    "a call that never began",
    [argumentsDelta(0, "{"), argumentsDelta(0, "}"), argumentsDone(0, "{}"), done(0, callItem("a", { arguments: "{}" }))],
    [told(0, "a"), piece(0, "{}")],
  ],
  [
    "a call that never began, without a place",
    [argumentsDelta(undefined, "{}"), done(0, callItem("a", { arguments: "{}" }))],
    [told(0, "a"), piece(0, "{}")],
  ],
  [
    "a call that begins late",
    [argumentsDelta(0, "{"), added(0, callItem("a")), argumentsDelta(0, "}"), argumentsDone(0, "{}")],
    [told(0, "a"), piece(0, "{"), piece(0, "}")],
  ],
  [
    "a call that begins without a name",
    [added(0, { type: "function_call", id: "fc_a" }), argumentsDelta(0, "{}"), done(0, callItem("a", { arguments: "{}" }))],
    [told(0, "a"), piece(0, "{}")],
  ],
  [
    "a custom tool's call",
    [
      added(0, { type: "custom_tool_call", id: "ctc_1", call_id: "call_s", name: "shell", input: "" }),
      event("response.custom_tool_call_input.delta", { output_index: 0, delta: "ls" }),
      event("response.custom_tool_call_input.done", { output_index: 0, input: "ls -l" }),
    ],
    [
      { tool_calls: [{ index: 0, id: "call_s", type: "custom", custom: { name: "shell", input: "" } }] },
      { tool_calls: [{ index: 0, custom: { input: "ls" } }] },
      { tool_calls: [{ index: 0, custom: { input: " -l" } }] },
    ],
  ],
  ["text that only output_text.done brings", [event("response.output_text.done", { output_index: 0, text: "Hi" })], [{ content: "Hi" }]],
  [
    "text that only content_part.done brings",
    [event("response.content_part.done", { output_index: 0, part: text("Hi") })],
    [{ content: "Hi" }],
  ],
  ["text that only output_item.done brings", [done(0, messageItem(text("H"), text("i")))], [{ content: "Hi" }]],
  ["a refusal that only refusal.done brings", [event("response.refusal.done", { output_index: 0, refusal: "No" })], [{ refusal: "No" }]],
  [
    "a refusal that only content_part.done brings",
    [event("response.content_part.done", { output_index: 0, part: { type: "refusal", refusal: "No" } })],
    [{ refusal: "No" }],
  ],
  ["a refusal that only output_item.done brings", [done(0, messageItem({ type: "refusal", refusal: "No" }))], [{ refusal: "No" }]],
  [
    "two parts, told by every kind of event",
    [
      textDelta("a"),
      event("response.output_text.done", { output_index: 0, content_index: 0, text: "a" }),
      event("response.content_part.done", { output_index: 0, content_index: 0, part: text("a") }),
      event("response.output_text.done", { output_index: 0, content_index: 1, text: "a" }),
      event("response.content_part.done", { output_index: 0, content_index: 1, part: text("a") }),
      done(0, messageItem(text("a"), text("a"))),
      event("response.output_text.done", { output_index: 0, content_index: 1, text: "a" }),
    ],
    [{ content: "a" }, { content: "a" }],
  ],
  [
    "parts of the same length that one kind of event alone tells",
    ["a", "a", "b"].map((said) => event("response.output_text.done", { output_index: 0, text: said })),
    [{ content: "a" }, { content: "a" }, { content: "b" }],
  ],
  [
    "deltas that are numbered as parts of their own",
    [
      textDelta("a", { content_index: 0 }),
      textDelta("b", { content_index: 1 }),
      event("response.output_text.done", { output_index: 0, content_index: 2, text: "ab" }),
      event("response.content_part.done", { output_index: 0, content_index: 3, part: text("ab") }),
      done(0, messageItem(text("ab"))),
    ],
    [{ content: "a" }, { content: "b" }],
  ],
  [
    "deltas without a place, of an item that has one",
    [
      added(0, messageItem()),
      event("response.output_text.delta", { delta: "Hi" }),
      event("response.output_text.done", { output_index: 0, text: "Hi" }),
      done(0, messageItem(text("Hi"))),
    ],
    [{ content: "Hi" }],
  ],
  [
    "deltas without a place, of an item whose beginning did not come",
    [event("response.output_text.delta", { delta: "Hi" }), done(0, messageItem(text("Hi")))],
    [{ content: "Hi" }],
  ],
  [
    "messages that all have the same index",
    [
      added(0, messageItem()),
      textDelta("a"),
      done(0, messageItem(text("a"))),
      added(0, { type: "message", id: "msg_1" }),
      textDelta("b", { item_id: "msg_1" }),
      done(0, { type: "message", id: "msg_1", content: [text("b")] }),
    ],
    [{ content: "a" }, { content: "b" }],
  ],
  [
    "a text whose end nobody says, with an empty done",
    [
      textDelta("a"),
      event("response.output_text.done", { output_index: 0, text: "" }),
      event("response.content_part.done", { output_index: 0, part: text("a") }),
      done(0, messageItem(text("a"))),
    ],
    [{ content: "a" }],
  ],
  [
    "events and items that Chat does not have",
    [
      added(0, { type: "reasoning", id: "rs_1" }),
      event("response.reasoning_summary_text.delta", { output_index: 0, delta: "Hm" }),
      event("response.web_search_call.searching", { output_index: 1 }),
      event("keepalive", { sequence_number: 5 }),
      done(0, { type: "reasoning", id: "rs_1" }),
      textDelta("a", { output_index: 1 }),
    ],
    [{ content: "a" }],
  ],
  [
    "the input of an item that is no call of the client's tools",
    [added(0, { type: "server_tool_call", id: "s", name: "search" }), argumentsDelta(0, "{}"), argumentsDone(0, "{}")],
    [],
  ],
  [
    "the same where only the item's end tells it",
    [argumentsDelta(0, "{}"), done(0, { type: "server_tool_call", id: "s", name: "search" })],
    [],
  ],
  [
    "what is no event",
    [
      { event: undefined, data: "[DONE]" },
      { event: undefined, data: "broken" },
      { event: undefined, data: "5" },
      { event: "response.output_text.delta", data: '{"type":5}' },
      event("response.output_item.added", { output_index: 0, item: null }),
      event("response.content_part.done", { output_index: 0 }),
      event("response.output_text.delta", { delta: { other: "a" } }),
    ],
    [],
  ],
];

test.each(ROWS)("events: %s", (_title, events, deltas) => {
  const played = play([CREATED, ...events, completed()]);
  expect(deltasOf(played)).toEqual([ROLE, ...deltas, {}]);
  expect(played.payloads.at(-1)).toBe("[DONE]");
});

test("the first item of the output gives the role where response.created did not come", () => {
  expect(deltasOf(play([added(0, { type: "reasoning" }), textDelta("a"), completed()]))).toEqual([ROLE, { content: "a" }, {}]);
  expect(deltasOf(play([completed()]))).toEqual([ROLE, {}]);
});

test("an event without a type in its data has that of its frame", () => {
  const payload = { event: "response.output_text.delta", data: '{"delta":"a"}' };
  expect(join(play([payload, completed()]))).toMatchObject({ content: "a", isDone: true });
});

const OUTPUT = [
  { type: "reasoning", id: "rs_0" },
  messageItem(text("Hello")),
  callItem("a", { arguments: "{}" }),
  { type: "message", id: "msg_1", content: [{ type: "refusal", refusal: "No" }] },
];
const CALL_A = { id: "call_a", type: "function", function: { name: "a", arguments: "{}" } };

/** What came before a response.completed with all of it. */
const BEFORE: readonly (readonly [string, readonly Payload[]])[] = [
  ["nothing", []],
  ["the beginning of the text", [textDelta("Hel", { output_index: 1 })]],
  ["the text, in another place", [textDelta("Hello", { output_index: 7, item_id: "other" })]],
  ["the text, at the place that another item has in the end", [textDelta("Hello", { output_index: 2, item_id: "other" })]],
  ["the text without a place", [event("response.output_text.delta", { delta: "Hello" })]],
  ["the call", [added(2, callItem("a")), argumentsDelta(2, "{}")]],
  ["the call without its arguments", [added(2, callItem("a"))]],
  ["the call, in another place", [added(1, callItem("a", { id: "other" })), argumentsDelta(1, "{")]],
  ["the call's arguments without its name", [argumentsDelta(5, "{}")]],
  ["the refusal", [event("response.refusal.delta", { output_index: 3, delta: "No" })]],
];

test.each(BEFORE)("response.completed brings what is missing after %s", (_title, events) => {
  const played = play([CREATED, ...events, completed({ output: OUTPUT })]);
  expect(join(played)).toMatchObject({ content: "Hello", refusal: "No", toolCalls: [CALL_A], finishReason: "tool_calls", isDone: true });
});

test("messages that the whole response has at other places are not told twice", () => {
  const message = (output_index: number, delta: string) => event("response.output_text.delta", { output_index, delta });
  const output = [messageItem(text("a")), messageItem(text("ab"))];
  expect(join(play([CREATED, message(1, "a"), message(2, "ab"), completed({ output })])).content).toBe("aab");
});

test("log probabilities come with the text that they are of, or not at all", () => {
  const begun = event("response.output_text.delta", { output_index: 0, delta: "a", logprobs: [TOKEN] });
  for (const end of [
    event("response.output_text.done", { output_index: 0, text: "ab", logprobs: [TOKEN, TOKEN] }),
    done(0, messageItem(text("ab", { logprobs: [TOKEN, TOKEN] }))),
  ]) {
    expect(join(play([CREATED, begun, end, completed()], { logprobs: true }))).toMatchObject({ content: "ab", logprobs: [CHAT_TOKEN] });
  }
});

test("a call is one even where response.completed does not repeat it", () => {
  const played = play([CREATED, added(0, callItem("a")), argumentsDelta(0, "{}"), completed({ output: [] })]);
  expect(join(played)).toMatchObject({ toolCalls: [CALL_A], finishReason: "tool_calls" });
});

const CITATION = { type: "url_citation", start_index: 0, end_index: 1, title: "A page", url: "https://a" };
const cited = (offset: number) => ({
  type: "url_citation",
  url_citation: { start_index: offset, end_index: offset + 1, title: "A page", url: "https://a" },
});
const annotationAdded = event("response.output_text.annotation.added", { output_index: 0, annotation: CITATION });

test.each<[string, readonly Payload[], readonly unknown[]]>([
  ["in events", [textDelta("ab"), annotationAdded, done(0, messageItem(text("ab", { annotations: [CITATION] })))], [cited(0)]],
  [
    "of a second part",
    [textDelta("ab"), event("response.output_text.done", { output_index: 0, text: "ab" }), textDelta("c"), textDelta("d"), annotationAdded],
    [cited(2)],
  ],
  ["in the item alone", [textDelta("ab"), done(0, messageItem(text("ab", { annotations: [CITATION] })))], [cited(0)]],
  ["in the response alone", [textDelta("ab")], [cited(0)]],
])("citations: %s", (_title, events, annotations) => {
  const played = play([CREATED, ...events, completed({ output: [messageItem(text("ab", { annotations: [CITATION] }))] })]);
  expect(join(played).annotations).toEqual(annotations);
});

test("citations of other kinds are left out", () => {
  const annotation = { type: "file_citation", file_id: "f", filename: "a", index: 0 };
  const other = event("response.output_text.annotation.added", { output_index: 0, annotation });
  expect(join(play([CREATED, textDelta("a"), other, completed()])).annotations).toEqual([]);
});

const TOKEN = { token: "a", logprob: -0.5, top_logprobs: [] };
const CHAT_TOKEN = { token: "a", logprob: -0.5, bytes: null, top_logprobs: [] };

test.each<[string, boolean, readonly Payload[], readonly unknown[]]>([
  [
    "with the deltas",
    true,
    [textDelta("a", { logprobs: [TOKEN] }), event("response.output_text.done", { output_index: 0, text: "a", logprobs: [TOKEN] })],
    [CHAT_TOKEN],
  ],
  ["with the done alone", true, [event("response.output_text.done", { output_index: 0, text: "a", logprobs: [TOKEN] })], [CHAT_TOKEN]],
  ["with the item alone", true, [done(0, messageItem(text("a", { logprobs: [TOKEN] })))], [CHAT_TOKEN]],
  ["not asked for", false, [textDelta("a", { logprobs: [TOKEN] })], []],
])("log probabilities: %s", (_title, logprobs, events, expected) => {
  const played = play([CREATED, ...events, completed()], { logprobs });
  expect(join(played)).toMatchObject({ content: "a", logprobs: expected });
});

test("an item that only the whole answer tells to be no call of the client's tools", () => {
  const output = [{ type: "server_tool_call", id: "s", name: "search" }];
  expect(join(play([CREATED, argumentsDelta(0, "{}"), completed({ output })]))).toMatchObject({ toolCalls: [], finishReason: "stop" });
});
