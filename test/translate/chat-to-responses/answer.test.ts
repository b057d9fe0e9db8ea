import { expect, test } from "bun:test";
import type { OpenAI } from "openai";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import { contextOf } from "./helpers.ts";

const whole = (response: JsonObject, request: JsonObject = {}) => chatToResponses.whole(response, contextOf(request));
const response = (output: readonly unknown[], more: JsonObject = {}): JsonObject => ({
  id: "resp_1",
  status: "completed",
  output,
  ...more,
});
const message = (...content: JsonObject[]): JsonObject => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content,
});
const text = (said: string, more: JsonObject = {}): JsonObject => ({ type: "output_text", text: said, annotations: [], ...more });
const functionCall = (name: string, args: string): JsonObject => ({
  type: "function_call",
  id: `fc_${name}`,
  call_id: `call_${name}`,
  name,
  arguments: args,
});

test("a response becomes a completion", () => {
  const completion = {
    id: "resp_68a",
    object: "chat.completion",
    created: 1_755_041_560,
    model: "asked",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "It is 12 °C.",
          refusal: null,
          annotations: [],
          tool_calls: [
            { id: "call_weather", type: "function", function: { name: "weather", arguments: "{}" } },
            { id: "call_c", type: "custom", custom: { name: "shell", input: "ls" } },
          ],
        },
        logprobs: null,
        finish_reason: "tool_calls",
      },
    ],
    usage: {
      prompt_tokens: 30,
      completion_tokens: 12,
      total_tokens: 42,
      prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 5 },
    },
    service_tier: "default",
  } satisfies OpenAI.Chat.ChatCompletion;
  const answer = {
    id: "resp_68a",
    object: "response",
    created_at: 1_755_041_560.75,
    model: "backend-model",
    status: "completed",
    error: null,
    service_tier: "default",
    output: [
      { type: "reasoning", id: "rs_1", summary: [] },
      message(text("It is "), text("12 °C.")),
      functionCall("weather", "{}"),
      { type: "web_search_call", id: "ws_1", status: "completed" },
      { type: "custom_tool_call", id: "ctc_1", call_id: "call_c", name: "shell", input: "ls" },
    ],
    usage: {
      input_tokens: 30,
      input_tokens_details: { cached_tokens: 20, cache_write_tokens: 1 },
      output_tokens: 12,
      output_tokens_details: { reasoning_tokens: 5 },
      total_tokens: 42,
    },
  };
  expect(whole(answer)).toEqual({ status: 200, body: completion });
});

/** An output, and what stands in the message and beside it. */
const OUTPUTS: readonly (readonly [string, readonly unknown[], JsonObject])[] = [
  ["several messages", [message(text("a"), text("b")), message(text("c"))], { content: "abc", refusal: null }],
  ["a refusal alone", [message({ type: "refusal", refusal: "No" }, { type: "refusal", refusal: "!" })], { content: null, refusal: "No!" }],
  ["a text and a refusal", [message(text("Well."), { type: "refusal", refusal: "No." })], { content: "Well.", refusal: "No." }],
  ["nothing", [], { content: "", refusal: null }],
  ["calls alone", [functionCall("a", "1")], { content: null, refusal: null }],
  ["a content that is a text", [{ type: "message", content: "Hi" }], { content: "Hi" }],
  ["parts that are texts, or are named as in Chat", [{ type: "message", content: ["a", { type: "text", text: "b" }] }], { content: "ab" }],
  [
    "arguments that are an object",
    [{ type: "function_call", call_id: "c", name: "f", arguments: { x: 1 } }],
    { tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"x":1}' } }] },
  ],
  [
    "calls that all have the same id",
    ["f", "g", "h"].map((name) => ({ ...functionCall(name, name), call_id: "a" })),
    {
      tool_calls: [
        { id: "a", type: "function", function: { name: "f", arguments: "f" } },
        { id: "a_2", type: "function", function: { name: "g", arguments: "g" } },
        { id: "a_3", type: "function", function: { name: "h", arguments: "h" } },
      ],
    },
  ],
  ["what is no item", [null, "x", 5, { type: "unknown" }, { type: "message" }, message(text("a"), { type: "image" })], { content: "a" }],
];

test.each(OUTPUTS)("the message of %s", (_title, output, expected) => {
  expect(whole(response(output)).body).toMatchObject({ choices: [{ message: expected }] });
});

test("calls keep their order, and one without an id gets one", () => {
  const { body } = whole(response([functionCall("b", "1"), { type: "function_call", name: "a", arguments: "2" }, functionCall("c", "")]));
  expect(body).toMatchObject({
    choices: [
      {
        message: {
          tool_calls: [
            { id: "call_b", type: "function", function: { name: "b", arguments: "1" } },
            { id: "call_x11", type: "function", function: { name: "a", arguments: "2" } },
            { id: "call_c", type: "function", function: { name: "c", arguments: "" } },
          ],
        },
      },
    ],
  });
});

const CUT = { status: "incomplete" };
const calling = [functionCall("a", "{}")];
const FINISHES: readonly (readonly [string, JsonObject])[] = [
  ["stop", response([message(text("a"))])],
  ["stop", { id: "resp_1", output: [] }],
  ["tool_calls", response(calling)],
  ["length", response([message(text("a"))], { ...CUT, incomplete_details: { reason: "max_output_tokens" } })],
  ["length", response(calling, { ...CUT, incomplete_details: { reason: "max_output_tokens" } })],
  ["content_filter", response(calling, { ...CUT, incomplete_details: { reason: "content_filter" } })],
  ["length", response([], { ...CUT, incomplete_details: { reason: "steered" } })],
  ["length", response([], CUT)],
];

test.each(FINISHES)("finish_reason %s: %j", (finish_reason, answer) => {
  expect(whole(answer)).toMatchObject({ status: 200, body: { choices: [{ finish_reason }] } });
});

test("citations of web pages are kept, with places that count from the beginning of the message", () => {
  const citation = (start_index: number, more: JsonObject = {}) => ({
    type: "url_citation",
    start_index,
    end_index: start_index + 1,
    title: "A page",
    url: "https://a",
    ...more,
  });
  const cited = (start_index: number, title = "A page") => ({
    type: "url_citation",
    url_citation: { start_index, end_index: start_index + 1, title, url: "https://a" },
  });
  const other = [
    { type: "file_citation", file_id: "file-1", filename: "a", index: 0 },
    { type: "url_citation", title: "without an address" },
  ];
  const output = [
    message(text("12", { annotations: [citation(1), ...other] }), text("345", { annotations: [citation(0)] })),
    message(text("6", { annotations: [citation(0, { title: undefined })] })),
  ];
  const { body } = whole(response(output));
  expect(body).toMatchObject({ choices: [{ message: { content: "123456", annotations: [cited(1), cited(2), cited(5, "")] } }] });
});

const TOKEN = { token: "a", logprob: -0.5, bytes: [97], top_logprobs: [{ token: "b", logprob: -1, bytes: [98] }] };
const SHORT_TOKEN = { token: "a", logprob: -0.5, top_logprobs: [{ token: "b", logprob: -1 }] };

test.each([
  ["asked for", true, [TOKEN], { content: [TOKEN], refusal: null }],
  [
    "asked for, without bytes",
    true,
    [SHORT_TOKEN],
    { content: [{ ...SHORT_TOKEN, bytes: null, top_logprobs: [{ token: "b", logprob: -1, bytes: null }] }], refusal: null },
  ],
  ["asked for, not given", true, undefined, null],
  ["not asked for", false, [TOKEN], null],
])("log probabilities %s", (_title, logprobs, given, expected) => {
  const { body } = whole(response([message(text("a", { logprobs: given }))]), { logprobs });
  expect(body).toMatchObject({ choices: [{ logprobs: expected }] });
});

test("as many log probabilities as an answer can have", () => {
  const logprobs = Array.from({ length: 200_000 }, () => SHORT_TOKEN);
  expect(whole(response([message(text("a", { logprobs }))]), { logprobs: true }).status).toBe(200);
});

test.each<[string, JsonObject, JsonObject, JsonObject]>([
  ["the model asked for", { model: "backend" }, { model: "asked" }, { model: "asked" }],
  ["the backend's model", { model: "backend" }, { model: "" }, { model: "backend" }],
  ["no model", {}, { model: undefined }, { model: "" }],
  ["the response's time, whole", { created_at: 12.9 }, {}, { created: 12 }],
  ["our own time", { created_at: "2026-01-01" }, {}, { created: 1_600_000_000 }],
  ["the response's id", { id: "r" }, {}, { id: "r" }],
  ["our own id", { id: undefined }, {}, { id: "chatcmpl-x1" }],
])("the envelope has %s", (_title, more, request, expected) => {
  expect(whole(response([], more), request).body).toMatchObject(expected);
});

test.each<[string, unknown, unknown]>([
  ["missing", undefined, undefined],
  ["null", null, undefined],
  ["empty", {}, undefined],
  ["without a total", { input_tokens: 1, output_tokens: 2 }, { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }],
  [
    "with more than the table knows",
    {
      input_tokens: 1,
      output_tokens: 2,
      total_tokens: 9,
      input_tokens_details: { cached_tokens: "x", x: 1 },
      output_tokens_details: { text_tokens: 1 },
    },
    { prompt_tokens: 1, completion_tokens: 2, total_tokens: 9, prompt_tokens_details: {}, completion_tokens_details: { text_tokens: 1 } },
  ],
])("usage that is %s", (_title, usage, expected) => {
  const { body } = whole(response([], { usage }));
  expect(body.usage).toEqual(expected);
});

const FAILURES: readonly (readonly [string, JsonObject, number, JsonObject])[] = [
  [
    "failed, with a reason",
    response([], { status: "failed", error: { code: "rate_limit_exceeded", message: "Slow down." } }),
    429,
    { message: "Slow down.", type: "rate_limit_error", param: null, code: "rate_limit_exceeded" },
  ],
  [
    "failed, without one",
    response([], { status: "failed", error: null }),
    500,
    { type: "server_error", message: expect.stringContaining("failed") },
  ],
  ["cancelled", response([message(text("a"))], { status: "cancelled" }), 500, { message: expect.stringContaining("cancelled") }],
  ["queued", response([], { status: "queued" }), 500, { message: expect.stringContaining("not begun") }],
  ["in progress", response([], { status: "in_progress" }), 500, { message: expect.stringContaining("not complete") }],
  ["an error alone", { error: { message: "Insufficient credits", code: 402 } }, 402, { message: "Insufficient credits", code: 402 }],
  ["complete and empty, with an error", response([], { error: { message: "Out of memory" } }), 500, { message: "Out of memory" }],
  ["complete without an output, with an error", { status: "completed", output: null, error: { message: "No" } }, 500, { message: "No" }],
  ["no response", { choices: [] }, 502, { message: expect.stringContaining("'output'"), type: "server_error" }],
  [
    "a call without a name",
    response([{ type: "function_call", call_id: "c", arguments: "{}" }]),
    502,
    { message: expect.stringContaining("without a name") },
  ],
];

test.each(FAILURES)("an answer that is none: %s", (_title, answer, status, error) => {
  expect(whole(answer)).toMatchObject({ status, body: { error } });
});

test("an error has the client's shape", () => {
  expect(chatToResponses.error(404, { message: "No such model", type: undefined, code: "model_not_found", param: "model" })).toEqual({
    error: { message: "No such model", type: "invalid_request_error", param: "model", code: "model_not_found" },
  });
});
