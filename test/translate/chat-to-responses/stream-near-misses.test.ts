import { expect, test } from "bun:test";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { HELD_CHARACTERS_MAX } from "../../../src/translate/chat-to-responses/stream-calls.ts";
import { CREATED, completed, event, join, play } from "./helpers.ts";

const added = (output_index: unknown, item: JsonObject) => event("response.output_item.added", { output_index, item });
const done = (output_index: unknown, item: JsonObject) => event("response.output_item.done", { output_index, item });
const callItem = (name: string, args: unknown = "", more: JsonObject = {}) => ({
  type: "function_call",
  id: `fc_${name}`,
  call_id: "a",
  name,
  arguments: args,
  ...more,
});
const argumentsDelta = (output_index: unknown, delta: unknown) => event("response.function_call_arguments.delta", { output_index, delta });
const argumentsDone = (output_index: unknown, args: unknown) =>
  event("response.function_call_arguments.done", { output_index, arguments: args });
const textDelta = (content_index: number, delta: unknown) => event("response.output_text.delta", { output_index: 0, content_index, delta });
const textDone = (content_index: number, text: unknown) => event("response.output_text.done", { output_index: 0, content_index, text });
const partDone = (content_index: number, text: string, type = "output_text") =>
  event("response.content_part.done", { output_index: 0, content_index, part: { type, text } });
const call = (id: string, name: string, args: string) => ({ id, type: "function", function: { name, arguments: args } });
const events = (payloads: readonly Payload[], response: JsonObject = {}) => join(play([CREATED, ...payloads, completed(response)]));

const F = callItem("f", "1");
const G = callItem("g", "2");
const TWO = [call("a", "f", "1"), call("a_2", "g", "2")];

test.each<[string, readonly Payload[], readonly JsonObject[]]>([
  ["by the ends of the items", [added(0, callItem("f")), added(1, callItem("g")), done(0, F), done(1, G)], []],
  [
    "by deltas",
    [added(0, callItem("f")), added(1, callItem("g")), argumentsDelta(1, "2"), argumentsDelta(0, "1"), done(0, F), done(1, G)],
    [F, G],
  ],
  ["by the ends of the items alone", [done(0, F), done(1, G)], [F, G]],
  ["by the whole answer, at other places", [added(3, callItem("f")), added(1 + 3, callItem("g"))], [F, G]],
  ["by the whole answer, in another order", [added(0, callItem("f")), added(1, callItem("g"))], [G, F]],
  ["by the whole answer alone", [], [F, G]],
  ["one of them by the whole answer", [done(0, F)], [F, G]],
  [
    "without ids of the items",
    [
      added(0, { ...F, id: undefined, arguments: "" }),
      added(1, { ...G, id: undefined, arguments: "" }),
      argumentsDone(0, "1"),
      argumentsDone(1, "2"),
    ],
    [],
  ],
  ["all at the same index", [added(0, callItem("f")), added(0, callItem("g")), done(0, F), done(0, G)], []],
])("calls that have the same call_id come both: %s", (_title, payloads, output) => {
  expect(events(payloads, { output })).toMatchObject({ toolCalls: TWO, finishReason: "tool_calls", isDone: true });
});

test("calls of one tool that have the same call_id come both", () => {
  const again = { ...callItem("f", "2"), id: "fc_2" };
  for (const output of [[], [F, again]]) {
    expect(events([done(0, F), done(1, again)], { output }).toolCalls).toEqual([call("a", "f", "1"), call("a_2", "f", "2")]);
  }
});

test("the end of a call that began at another index is no other call", () => {
  expect(events([added(1, callItem("f", "", { id: undefined })), argumentsDelta(1, "1"), done(0, F)]).toolCalls).toEqual([
    call("a", "f", "1"),
  ]);
});

test.each<[string, readonly Payload[], JsonObject]>([
  ["all before the name", [argumentsDelta(0, '{"x"'), argumentsDelta(0, ":1}"), added(0, callItem("f"))], {}],
  ["some before the name", [argumentsDelta(0, '{"x"'), added(0, callItem("f")), argumentsDelta(0, ":1}")], {}],
  ["the end before the name", [argumentsDone(0, '{"x":1}'), added(0, callItem("f"))], {}],
  ["before a name that comes with the end of the item", [argumentsDelta(0, '{"x":1}'), done(0, callItem("f"))], {}],
  ["before a name that comes with the whole answer", [argumentsDelta(0, '{"x":1}')], { output: [callItem("f")] }],
  ["with the beginning alone", [added(0, callItem("f", '{"x":1}'))], {}],
  ["with the beginning, and by deltas", [added(0, callItem("f", '{"x":1}')), argumentsDelta(0, '{"x":1}')], {}],
  ["as an object, with the item's end", [added(0, callItem("f", {})), done(0, callItem("f", { x: 1 }))], {}],
  ["as an object, with their own end", [added(0, callItem("f")), argumentsDone(0, { x: 1 })], {}],
  ["as an object, in the whole answer", [], { output: [callItem("f", { x: 1 })] }],
  [
    "with a number among the deltas",
    ['{"x":', 1, "}"].map((delta) => argumentsDelta(0, delta)).toSpliced(0, 0, added(0, callItem("f"))),
    {},
  ],
])("no arguments are lost that come %s", (_title, payloads, response) => {
  expect(events(payloads, response)).toMatchObject({ toolCalls: [call("a", "f", '{"x":1}')], isDone: true });
});

test("more than can be held is taken from what repeats it, and is an error where nothing does", () => {
  const long = "x".repeat(HELD_CHARACTERS_MAX);
  const late = [argumentsDelta(0, long), argumentsDelta(0, "1"), added(0, callItem("f")), argumentsDelta(0, "2")];
  expect(events([...late, argumentsDone(0, `${long}12`)]).toolCalls).toEqual([call("a", "f", `${long}12`)]);
  expect(events(late)).toMatchObject({ error: { code: "lost_tool_input" }, finishReason: undefined, isDone: false });
});

test("indexes that are written as texts are read", () => {
  const payloads = [added("0", callItem("f")), added("1", callItem("g")), argumentsDelta("0", "1"), argumentsDelta("1", "2")];
  expect(events(payloads.map(({ event: name, data }) => ({ event: name, data: data.replaceAll(/"id":"fc_.",/g, "") })))).toMatchObject({
    toolCalls: TWO,
  });
});

const MIXED = [textDelta(0, "A"), textDelta(1, "B"), textDelta(0, "a"), textDelta(1, "b")];

test.each<[string, readonly Payload[], string]>([
  ["interleave, told by their texts", [...MIXED, textDone(0, "Aa"), textDone(1, "Bb")], "ABab"],
  ["interleave, told by their parts", [...MIXED, partDone(0, "Aa"), partDone(1, "Bb")], "ABab"],
  ["interleave, told twice", [...MIXED, textDone(0, "Aa"), partDone(0, "Aa"), textDone(1, "Bb"), partDone(1, "Bb")], "ABab"],
  [
    "interleave, told twice after each other",
    [...MIXED, textDone(0, "Aa"), textDone(1, "Bb"), partDone(0, "Aa"), partDone(1, "Bb")],
    "ABab",
  ],
  ["interleave, and whose ends bring more", [...MIXED, textDone(0, "Aa1"), textDone(1, "Bb2")], "ABab12"],
  ["interleave, and of which one is told otherwise", [...MIXED, textDone(0, "Ax"), textDone(1, "Bb")], "ABab"],
  ["end after each other, told twice", [textDone(0, "one"), textDone(1, "three"), partDone(0, "one"), partDone(1, "three")], "onethree"],
  ["end twice with another text", [textDone(0, "Hi"), partDone(0, "Hi ")], "Hi "],
  ["go on with the same number", [textDone(0, "a"), partDone(0, "a"), textDelta(0, "b"), partDone(0, "bc")], "abc"],
  [
    "are numbered delta by delta, far more than an answer has",
    [...Array.from({ length: 200 }, (_delta, index) => textDelta(index, "x")), textDone(200, `${"x".repeat(200)}y`)],
    `${"x".repeat(200)}y`,
  ],
  [
    "are numbered delta by delta, and end with the first number",
    [textDelta(0, "a"), textDelta(1, "b"), textDone(0, "ab"), partDone(0, "ab")],
    "ab",
  ],
  ["have Chat's name", [partDone(0, "Hi", "text")], "Hi"],
  ["have numbers and truth values for deltas", [textDelta(0, "n="), textDelta(0, 0), textDelta(0, true)], "n=0true"],
  ["have objects for deltas", [textDelta(0, { text: "Hi" })], "Hi"],
])("no text is lost or doubled of parts that %s", (_title, payloads, content) => {
  expect(events(payloads)).toMatchObject({ content, isDone: true });
});

test("a message whose content is a text is read", () => {
  const item = { type: "message", id: "m", content: "Hi" };
  expect(events([done(0, item)], { output: [item] })).toMatchObject({ content: "Hi", isDone: true });
  expect(events([], { output: [item] })).toMatchObject({ content: "Hi", isDone: true });
});

test.each<[string, JsonObject, JsonObject]>([
  ["an error and an empty output", { error: { message: "Out of memory" } }, { message: "Out of memory" }],
  ["an error and no output", { output: null, error: { message: "Out of memory" } }, { message: "Out of memory" }],
  ["no output", { output: null }, { code: "bad_gateway", message: expect.stringContaining("'output'") }],
])("a response.completed with %s, after nothing, is an error", (_title, response, error) => {
  expect(events([], response)).toMatchObject({ error, finishReason: undefined, isDone: false });
});

test("a response.completed without an output, after all of the answer, is its end", () => {
  expect(events([textDelta(0, "Hi")], { output: null })).toMatchObject({ content: "Hi", error: undefined, isDone: true });
  expect(events([done(0, F)], { output: null, error: {} })).toMatchObject({ toolCalls: [call("a", "f", "1")], isDone: true });
});
