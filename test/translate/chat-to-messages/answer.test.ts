import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { chatToMessages } from "../../../src/translate/chat-to-messages.ts";
import { contextOf, MESSAGE, received, toolUse } from "./helpers.ts";

const text = (said: string) => ({ type: "text", text: said });

function answer(content: unknown, stop_reason: string | null = "end_turn", more: JsonObject = {}): JsonObject {
  return { ...MESSAGE, content, stop_reason, ...more };
}

function whole(message: JsonObject, request: JsonObject = {}) {
  return chatToMessages.whole(message, contextOf(request));
}

const call = (id: string, name: string, argumentsText: string) => ({ id, type: "function", function: { name, arguments: argumentsText } });

type Row = readonly [title: string, message: JsonObject, expected: JsonObject, finish: string];

const ANSWERS: readonly Row[] = [
  ["a text", answer([text("Hello")]), { content: "Hello" }, "stop"],
  ["texts are joined as they are", answer([text("He"), { ...text("llo"), citations: [{}] }]), { content: "Hello" }, "stop"],
  [
    "thinking",
    answer([{ type: "thinking", thinking: "hm", signature: "s" }, { type: "redacted_thinking", data: "x" }, text("A")]),
    { content: "A", reasoning_content: "hm" },
    "stop",
  ],
  [
    "calls",
    answer([text("A"), toolUse("t1", "f", { a: 1 }), toolUse("t2", "g")], "tool_use"),
    { content: "A", tool_calls: [call("t1", "f", '{"a":1}'), call("t2", "g", "{}")] },
    "tool_calls",
  ],
  ["calls alone", answer([toolUse("t1", "f")], "tool_use"), { content: null, tool_calls: [call("t1", "f", "{}")] }, "tool_calls"],
  ["calls, though the word is another", answer([toolUse("t1", "f")]), { content: null, tool_calls: [call("t1", "f", "{}")] }, "tool_calls"],
  [
    "a call that was cut",
    answer([toolUse("t1", "f", { a: 1 })], "max_tokens"),
    { content: null, tool_calls: [call("t1", "f", '{"a":1}')] },
    "length",
  ],
  [
    "a call without an id, and an input that is a text",
    answer(
      [
        { type: "tool_use", name: "f", input: '{"a":1}' },
        { type: "tool_use", name: "g", input: null },
      ],
      "tool_use",
    ),
    { content: null, tool_calls: [call("call_x10", "f", '{"a":1}'), call("call_x11", "g", "{}")] },
    "tool_calls",
  ],
  [
    "tools of the service's own are passed over",
    answer([
      { type: "server_tool_use", id: "s", name: "web_search", input: {} },
      { type: "web_search_tool_result", tool_use_id: "s", content: [] },
      text("A"),
    ]),
    { content: "A" },
    "stop",
  ],
  ["nothing at all", answer([]), { content: "" }, "stop"],
  ["announced calls that are not there", answer([text("A")], "tool_use"), { content: "A" }, "stop"],
  ["by a stop sequence", answer([text("A")], "stop_sequence", { stop_sequence: "END" }), { content: "A" }, "stop"],
  ["by the limit", answer([text("A")], "max_tokens"), { content: "A" }, "length"],
  ["by the context", answer([text("A")], "model_context_window_exceeded"), { content: "A" }, "length"],
  ["a pause", answer([text("A")], "pause_turn"), { content: "A" }, "stop"],
  ["no word about the end", answer([text("A")], null), { content: "A" }, "stop"],
  ["a refusal", answer([text("A")], "refusal"), { content: "A" }, "content_filter"],
  [
    "a refusal with words",
    answer([], "refusal", { stop_details: { type: "refusal", category: null, explanation: "No." } }),
    { content: null, refusal: "No." },
    "content_filter",
  ],
];

describe("a whole answer", () => {
  test.each([...ANSWERS])("%s", async (_title, message, expected, finish) => {
    const { status, body } = whole(message);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: "msg_1", object: "chat.completion", created: 1_760_000_000, model: "claude-answering" });
    const messageOf = { role: "assistant", refusal: null, annotations: [], ...expected };
    expect(body.choices).toEqual([{ index: 0, message: messageOf, logprobs: null, finish_reason: finish }]);
    expect(JSON.parse(JSON.stringify(await received(body)))).toMatchObject(body);
  });

  test("a call of a custom tool", () => {
    const tools = [{ type: "custom", custom: { name: "c" } }];
    const blocks = [toolUse("t1", "c", { input: "ls" }), toolUse("t2", "c", { other: 1 })];
    expect(whole(answer(blocks, "tool_use"), { tools }).body).toMatchObject({
      choices: [
        {
          message: {
            tool_calls: [
              { id: "t1", type: "custom", custom: { name: "c", input: "ls" } },
              { id: "t2", type: "custom", custom: { name: "c", input: '{"other":1}' } },
            ],
          },
        },
      ],
    });
  });

  test("an answer that does not say who it is", () => {
    expect(whole({ content: [text("A")] }).body).toMatchObject({ id: "chatcmpl-x1", model: "claude-sonnet-4-5" });
    expect(whole({ content: [text("A")] }).body).not.toHaveProperty("usage");
  });
});

describe("usage", () => {
  const rows: readonly (readonly [string, unknown, unknown])[] = [
    [
      "input and output",
      { input_tokens: 5, output_tokens: 7 },
      { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12, prompt_tokens_details: { cached_tokens: 0 } },
    ],
    [
      "the cache",
      { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 7 },
      {
        prompt_tokens: 125,
        completion_tokens: 7,
        total_tokens: 132,
        prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 20 },
      },
    ],
    [
      "thinking",
      { input_tokens: 5, output_tokens: 7, output_tokens_details: { thinking_tokens: 3 } },
      {
        prompt_tokens: 5,
        completion_tokens: 7,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 3 },
      },
    ],
    ["none", undefined, undefined],
    ["nonsense", { input_tokens: "5" }, undefined],
  ];
  test.each([...rows])("%s", (_title, usage, expected) => {
    expect(whole(answer([text("A")], "end_turn", { usage })).body.usage).toEqual(expected);
  });
});

describe("a 200 that is none", () => {
  const facts = (message: string, type: string, code: unknown = null) => ({ error: { message, type, param: null, code } });
  const said = (type: string, message = "M") => ({ type: "error", error: { details: null, type, message }, request_id: "req_1" });
  const rows: readonly (readonly [string, JsonObject, number, JsonObject])[] = [
    ["overload", said("overloaded_error", "Overloaded"), 503, facts("Overloaded", "overloaded_error")],
    ["a limit of rate", said("rate_limit_error"), 429, facts("M", "rate_limit_error")],
    ["a mistake", said("invalid_request_error"), 400, facts("M", "invalid_request_error")],
    ["a bill", said("billing_error"), 402, facts("M", "billing_error")],
    ["too much", said("request_too_large"), 413, facts("M", "request_too_large")],
    ["too late", said("timeout_error"), 504, facts("M", "timeout_error")],
    ["trouble", said("api_error"), 500, facts("M", "api_error")],
    [
      "an error without words",
      { type: "error" },
      500,
      facts("The backend reported an error without a text.", "server_error", "backend_error"),
    ],
    [
      "no content",
      { ...MESSAGE, content: undefined },
      502,
      facts("The backend's answer is no message of the Messages API: it has no 'content' list.", "server_error", "bad_gateway"),
    ],
    [
      "another API's answer",
      { choices: [] },
      502,
      facts("The backend's answer is no message of the Messages API: it has no 'content' list.", "server_error", "bad_gateway"),
    ],
    [
      "a call without a name",
      answer([toolUse("t", "")], "tool_use"),
      502,
      facts("The backend's answer has a tool call without a name.", "server_error", "nameless_tool_call"),
    ],
  ];
  test.each([...rows])("%s", (_title, json, status, body) => {
    expect(whole(json)).toEqual({ status, body });
  });
});

test("errors have OpenAI's shape", () => {
  const facts = { message: "prompt is too long", type: "invalid_request_error", code: null, param: null };
  expect(chatToMessages.error(400, facts)).toEqual({
    error: { message: "prompt is too long", type: "invalid_request_error", param: null, code: null },
  });
});
