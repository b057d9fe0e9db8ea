import { describe, expect, test } from "bun:test";
import type { Payload } from "../../src/core/dialect.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { messages } from "../../src/rescue/messages.ts";
import { REQUESTS, seen } from "./story.ts";

function event(type: string, rest: JsonObject = {}): Payload {
  return { event: type, data: JSON.stringify({ type, ...rest }) };
}

const START = (id: string) =>
  event("message_start", {
    message: { id, type: "message", role: "assistant", content: [], usage: { input_tokens: 5, output_tokens: 1 } },
  });
const open = (index: number, content_block: JsonObject = { type: "text", text: "" }) =>
  event("content_block_start", { index, content_block });
const delta = (index: number, inner: JsonObject) => event("content_block_delta", { index, delta: inner });
const text = (index: number, piece: string) => delta(index, { type: "text_delta", text: piece });
const close = (index: number) => event("content_block_stop", { index });
const PING = event("ping");
const END = [event("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } }), event("message_stop")];
const THOUGHT = [
  open(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "Hm" }),
  delta(0, { type: "signature_delta", signature: "s" }),
  close(0),
];
const TOOL = (index: number) => [
  open(index, { type: "tool_use", id: "t", name: "f", input: {} }),
  delta(index, { type: "input_json_delta", partial_json: '{"a":1}' }),
  close(index),
];

function noted(...payloads: readonly Payload[]) {
  const partial = messages.partial();
  for (const one of payloads) partial.note(one);
  return partial;
}

describe("what goes on behind a Messages answer", () => {
  const first = [START("msg_1"), open(0), PING, text(0, "Hi "), text(0, "\n")];

  test.each<[string, readonly Payload[], readonly Payload[], readonly Payload[]]>([
    [
      "goes on in the block that is open",
      first,
      [START("msg_2"), open(0), PING, text(0, " "), text(0, "\nyou"), close(0), ...END],
      [PING, text(0, "you"), close(0), ...END],
    ],
    [
      "has a block of its own where none is open",
      [...first, close(0)],
      [START("msg_2"), open(0), text(0, " \nyou"), close(0), ...END],
      [open(1), text(1, "you"), close(1), ...END],
    ],
    [
      "leaves out thoughts",
      first,
      [START("msg_2"), ...THOUGHT, open(1), text(1, "you"), close(1), ...END],
      [text(0, "you"), close(0), ...END],
    ],
    [
      "keeps thoughts where there is no text yet",
      [START("msg_1"), PING],
      [START("msg_2"), ...THOUGHT, open(1), text(1, "you"), close(1), ...END],
      [...THOUGHT, open(1), text(1, "you"), close(1), ...END],
    ],
    [
      "has its calls behind the text",
      first,
      [START("msg_2"), open(0), text(0, "you"), close(0), ...TOOL(1), ...END],
      [text(0, "you"), close(0), ...TOOL(1), ...END],
    ],
    ["closes the text before a call", first, [START("msg_2"), ...TOOL(0), ...END], [close(0), ...TOOL(1), ...END]],
    ["closes the text before the end", first, [START("msg_2"), ...END], [close(0), ...END]],
    ["closes the text before an end without a reason", first, [START("msg_2"), event("message_stop")], [close(0), event("message_stop")]],
    [
      "cuts no white space in a later text",
      first,
      [START("msg_2"), ...TOOL(0), open(1), text(1, " \nyou"), close(1), ...END],
      [close(0), ...TOOL(1), open(2), text(2, " \nyou"), close(2), ...END],
    ],
    [
      "takes a text that comes with its block",
      first,
      [START("msg_2"), open(0, { type: "text", text: " \nyou" }), text(0, "!"), close(0), ...END],
      [text(0, "you"), text(0, "!"), close(0), ...END],
    ],
    [
      "keeps sources",
      first,
      [open(0), delta(0, { type: "citations_delta", citation: {} }), close(0)],
      [delta(0, { type: "citations_delta", citation: {} }), close(0)],
    ],
    ["leaves out what belongs to no block", first, [text(3, "lost"), close(3), ...END], [close(0), ...END]],
  ])("%s", async (_name, before, second, expected) => {
    const splice = noted(...before).splice();
    expect(second.flatMap((one) => splice(one))).toEqual([...expected]);
  });

  test("is one message for the official client", async () => {
    const splice = noted(...first).splice();
    const second = [START("msg_2"), ...THOUGHT, open(1), text(1, " you"), close(1), ...TOOL(2), ...END];
    expect(await seen("messages", [...first, ...second.flatMap((one) => splice(one))])).toEqual({
      id: "msg_1",
      text: "Hi \nyou",
      calls: ['{"a":1}'],
      finish: "end_turn",
      outputTokens: 9,
      parts: ["text", "tool_use"],
    });
  });
});

describe("a Messages request that goes on", () => {
  const first = [START("msg_1"), open(0), text(0, "you \n")];
  const user = { role: "user", content: "Hi" };

  test.each<[string, readonly JsonObject[], readonly JsonObject[]]>([
    ["behind a user's message", [user], [user, { role: "assistant", content: "you" }]],
    [
      "in the client's own beginning",
      [user, { role: "assistant", content: "How are " }],
      [user, { role: "assistant", content: "How are you" }],
    ],
    [
      "in the client's own beginning of blocks",
      [{ role: "assistant", content: [{ type: "text", text: "How are " }] }],
      [{ role: "assistant", content: [{ type: "text", text: "How are you" }] }],
    ],
    [
      "behind the client's own block that is no text",
      [{ role: "assistant", content: [{ type: "tool_use" }] }],
      [{ role: "assistant", content: [{ type: "tool_use" }, { type: "text", text: "you" }] }],
    ],
  ])("%s", (_name, turns, expected) => {
    const request = { model: "m", max_tokens: 5, messages: turns };
    expect(noted(...first).continuing(request)).toEqual({ ...request, messages: expected });
  });

  test("asks for no thoughts, which the API refuses beside a beginning", () => {
    const request = { ...REQUESTS.messages, thinking: { type: "enabled", budget_tokens: 1024 } };
    expect(noted(...first).continuing(request)).toEqual({
      ...REQUESTS.messages,
      messages: [user, { role: "assistant", content: "you" }],
    });
    expect(noted(START("msg_1")).continuing(request)).toBe(request);
  });

  test.each<[string, readonly Payload[], boolean]>([
    ["a text", first, true],
    ["two texts", [...first, close(0), open(1), text(1, "x")], true],
    ["a text with sources", [...first, delta(0, { type: "citations_delta", citation: {} })], true],
    ["nothing", [START("msg_1"), PING], true],
    ["a thought", [START("msg_1"), ...THOUGHT, open(1), text(1, "x")], false],
    ["a call that has only begun", [START("msg_1"), open(0, { type: "tool_use", id: "t", name: "f", input: {} })], false],
    [
      "a message that began with something",
      [event("message_start", { message: { id: "m", content: [{ type: "text", text: "x" }] } })],
      false,
    ],
    ["an end", [...first, close(0), ...END.slice(0, 1)], false],
    ["an end without a reason", [...first, close(0), event("message_delta", { delta: { stop_reason: null } })], true],
  ])("is there or not behind %s", (name, payloads, expected) => {
    expect(noted(...payloads).isEmpty()).toBe(name === "nothing");
    expect(noted(...payloads).continuing(REQUESTS.messages) !== undefined).toBe(expected);
  });
});

test.each([
  [429, "rate_limit_error"],
  [500, "api_error"],
  [502, "api_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
  [401, "api_error"],
])("status %p is told as %s", (status, type) => {
  expect(messages.error({ message: "M", status }, { frames: 3 })).toEqual([event("error", { error: { type, message: "M" } })]);
});
