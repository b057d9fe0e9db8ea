import { describe, expect, test } from "bun:test";
import type { Message } from "@anthropic-ai/sdk/resources/messages";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";
import { CONTEXT, received, USAGE } from "./helpers.ts";

function answer(message: unknown, finish: unknown = "stop", more: JsonObject = {}): JsonObject {
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finish }];
  return { id: "chatcmpl-abc", object: "chat.completion", created: 1, model: "gpt-test", choices, usage: USAGE, ...more };
}

function whole(json: JsonObject, request: JsonObject = CONTEXT.request) {
  return messagesToChat.whole(json, { ...CONTEXT, request });
}

const assistant = (content: unknown, more: JsonObject = {}): JsonObject => ({ role: "assistant", content, refusal: null, ...more });
const calls = (...functions: readonly JsonObject[]): JsonObject => ({
  tool_calls: functions.map((details, index) => ({ id: `call_${index}`, type: "function", function: details })),
});
const use = (input: JsonObject, index = 0, name = "f"): JsonObject => ({
  type: "tool_use",
  id: `call_${index}`,
  name,
  input,
  caller: { type: "direct" },
});
const text = (words: string): JsonObject => ({ type: "text", text: words });

test("a whole message, which the official client takes as it is", async () => {
  const { status, body } = whole(answer(assistant("Hello", { reasoning_content: "Hm" })));
  expect(status).toBe(200);
  expect(body).toEqual({
    model: "claude-test",
    id: "msg_abc",
    type: "message",
    role: "assistant",
    content: [{ type: "thinking", thinking: "Hm", signature: "" }, text("Hello")],
    stop_reason: "end_turn",
    stop_sequence: null,
    stop_details: null,
    usage: {
      input_tokens: 12,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: 6,
      service_tier: "standard",
    },
  });
  expect(await received(body)).toMatchObject(body as unknown as Message);
});

describe("content", () => {
  const rows: readonly (readonly [string, JsonObject, readonly JsonObject[]])[] = [
    ["text", assistant("Hello"), [text("Hello")]],
    ["no text", assistant(null), []],
    ["an empty text", assistant(""), []],
    [
      "parts of text",
      assistant([
        { type: "text", text: "Hel" },
        { type: "text", text: "lo" },
      ]),
      [text("Hello")],
    ],
    ["thinking by its other name", assistant("A", { reasoning: "Hm" }), [{ type: "thinking", thinking: "Hm", signature: "" }, text("A")]],
    [
      "thinking by both names, once",
      assistant("A", { reasoning: "Hm", reasoning_content: "Hm" }),
      [{ type: "thinking", thinking: "Hm", signature: "" }, text("A")],
    ],
    [
      "thinking in parts",
      assistant([
        { type: "thinking", thinking: [{ type: "text", text: "Hm" }] },
        { type: "text", text: "A" },
      ]),
      [{ type: "thinking", thinking: "Hm", signature: "" }, text("A")],
    ],
    ["a refusal", assistant(null, { refusal: "No." }), [text("No.")]],
    ["a refusal as a part", assistant([{ type: "refusal", refusal: "No." }]), [text("No.")]],
    ["a call", assistant(null, calls({ name: "f", arguments: '{"x":{"y":1}}' })), [use({ x: { y: 1 } })]],
    [
      "text and calls",
      assistant("A", calls({ name: "f", arguments: "{}" }, { name: "g", arguments: '{"z":2}' })),
      [text("A"), use({}), use({ z: 2 }, 1, "g")],
    ],
    [
      "a call without arguments",
      assistant(null, calls({ name: "f", arguments: "" }, { name: "f" }, { name: "f", arguments: null })),
      [use({}), use({}, 1), use({}, 2)],
    ],
    ["arguments that are JSON already", assistant(null, calls({ name: "f", arguments: { x: 1 } })), [use({ x: 1 })]],
    [
      "broken arguments can still be seen",
      assistant(null, calls({ name: "f", arguments: '{"x":' })),
      [use({ unreadable_arguments: '{"x":' })],
    ],
    [
      "arguments that are no object too",
      assistant(null, calls({ name: "f", arguments: "[1]" }, { name: "f", arguments: "null" })),
      [use({ unreadable_arguments: "[1]" }), use({ unreadable_arguments: "null" }, 1)],
    ],
    [
      "the call of old",
      assistant(null, { function_call: { name: "f", arguments: '{"x":1}' } }),
      [{ ...use({ x: 1 }), id: `toolu_${CONTEXT.id}0` }],
    ],
    [
      "the call of old with arguments that are JSON already",
      assistant(null, { function_call: { name: "f", arguments: { x: 1 } } }),
      [{ ...use({ x: 1 }), id: `toolu_${CONTEXT.id}0` }],
    ],
    ["the call of old that is none", assistant("A", { function_call: { name: "", arguments: "" } }), [text("A")]],
    [
      "a call without an id gets one",
      assistant(null, { tool_calls: [{ function: { name: "f", arguments: "{}" } }, { id: "", function: { name: "g" } }] }),
      [
        { ...use({}), id: `toolu_${CONTEXT.id}0` },
        { ...use({}, 1, "g"), id: `toolu_${CONTEXT.id}1` },
      ],
    ],
  ];
  test.each([...rows])("%s", (_name, message, content) => {
    expect(whole(answer(message)).body.content).toEqual(content);
  });
});

describe("how it ended", () => {
  const CALL = assistant(null, calls({ name: "f", arguments: "{}" }));
  const rows: readonly (readonly [string, JsonObject, unknown, string])[] = [
    ["by itself", assistant("A"), "stop", "end_turn"],
    ["without a word about it", assistant("A"), null, "end_turn"],
    ["with an unknown word", assistant("A"), "constructor", "end_turn"],
    ["by the limit", assistant("A"), "length", "max_tokens"],
    ["by the limit in a call", CALL, "length", "max_tokens"],
    ["by the context", assistant("A"), "model_length", "model_context_window_exceeded"],
    ["with calls", CALL, "tool_calls", "tool_use"],
    ["with the call of old", assistant(null, { function_call: { name: "f", arguments: "{}" } }), "function_call", "tool_use"],
    ["with calls, though the word is another", CALL, "stop", "tool_use"],
    ["with calls announced that are not there", assistant("A"), "tool_calls", "end_turn"],
    ["by a filter", assistant("A"), "content_filter", "refusal"],
    ["with a refusal", assistant(null, { refusal: "No." }), "stop", "refusal"],
  ];
  test.each([...rows])("%s", (_name, message, finish, stopReason) => {
    const { stop_reason, stop_sequence, stop_details } = whole(answer(message, finish)).body;
    const details = stopReason === "refusal" ? { type: "refusal", category: null, explanation: null } : null;
    expect({ stop_reason, stop_sequence, stop_details }).toEqual({ stop_reason: stopReason, stop_sequence: null, stop_details: details });
  });

  test("by a stop sequence, where the backend tells which", () => {
    const json = answer(assistant("A"), "stop");
    const matched = (stop_reason: unknown) => ({ ...json, choices: [{ ...(json.choices as JsonObject[])[0], stop_reason }] });
    const request = { ...CONTEXT.request, stop_sequences: ["END"] };
    expect(whole(matched("END"), request).body).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "END" });
    for (const other of ["</s>", 151645, null]) {
      expect(whole(matched(other), request).body).toMatchObject({ stop_reason: "end_turn", stop_sequence: null });
    }
  });
});

describe("usage", () => {
  const rows: readonly (readonly [string, unknown, readonly [input: number, read: number, written: number, output: number], number?])[] = [
    [
      "what came from the cache is not input",
      { prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 80 } },
      [20, 80, 0, 5],
    ],
    [
      "nor is what went into it",
      { prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 } },
      [10, 60, 30, 5],
    ],
    ["DeepSeek's word for it", { prompt_tokens: 100, completion_tokens: 5, prompt_cache_hit_tokens: 64 }, [36, 64, 0, 5]],
    [
      "more from the cache than there is",
      { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 80 } },
      [0, 10, 0, 5],
    ],
    ["thinking", { prompt_tokens: 1, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 3 } }, [1, 0, 0, 5], 3],
    ["nothing", null, [0, 0, 0, 0]],
    ["nonsense", { prompt_tokens: -1, completion_tokens: "5", prompt_tokens_details: [] }, [0, 0, 0, 0]],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (_name, [, usage, counts, thinking]) => {
    const [input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens] = counts;
    const got = whole(answer(assistant("A"), "stop", { usage })).body.usage as JsonObject;
    expect(got).toMatchObject({ input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens });
    expect(got.output_tokens_details).toEqual(thinking === undefined ? undefined : { thinking_tokens: thinking });
  });
});

describe("names", () => {
  test("the model that was asked for, else the target's", () => {
    expect(whole(answer(assistant("A")), { model: "" }).body.model).toBe("gpt-test");
    expect(whole(answer(assistant("A"), "stop", { model: null }), {}).body.model).toBe("");
  });

  test("an answer without an id gets one", () => {
    expect(whole(answer(assistant("A"), "stop", { id: "" })).body.id).toBe(`msg_${CONTEXT.id}`);
    expect(whole(answer(assistant("A"), "stop", { id: "gen-1" })).body.id).toBe("msg_gen-1");
  });
});

describe("a 200 that is none", () => {
  const error = (type: string, message: string) => ({ type: "error", error: { type, message } });
  const rows: readonly (readonly [string, JsonObject, number, JsonObject])[] = [
    [
      "an error with a number",
      { error: { code: 402, message: "Insufficient credits" } },
      402,
      error("billing_error", "Insufficient credits"),
    ],
    [
      "an error with a word",
      { error: { message: "Slow", type: "x", code: "rate_limit_exceeded" } },
      429,
      error("rate_limit_error", "Slow"),
    ],
    ["an error that is a text", { error: "Bad key", code: "invalid_api_key" }, 401, error("authentication_error", "Bad key")],
    ["an error without words", { error: {} }, 500, error("api_error", "the backend reported an error and said nothing more")],
    [
      "an error beside a choice",
      answer(assistant("A"), "error", { error: { message: "Broke", code: 502 } }),
      502,
      error("api_error", "Broke"),
    ],
    ["vLLM's flat error", { object: "error", message: "Too long", code: 400 }, 400, error("invalid_request_error", "Too long")],
    ["a flat error without a mark", { detail: "Not today" }, 500, error("api_error", "Not today")],
    ["no error is no error", answer(assistant("A"), "stop", { error: null }), 200, { type: "message" }],
    ["no choices", { choices: [] }, 502, error("api_error", "the backend's answer has no choices")],
    ["nothing", {}, 502, error("api_error", "the backend's answer has no choices")],
    ["no message", { choices: [{ index: 0 }] }, 502, error("api_error", "the backend's answer has a choice without a message")],
    ...[{ arguments: "{}" }, { name: "", arguments: "{}" }, { name: null }].map(
      (details) =>
        [
          `a call without a name: ${JSON.stringify(details)}`,
          answer(assistant("A", calls(details)), "tool_calls"),
          502,
          error("api_error", "the backend's answer has a tool call without a name"),
        ] as const,
    ),
    [
      "a call that was cut before it had a name",
      answer(assistant("A", calls({ arguments: "" })), "length"),
      200,
      { content: [text("A")], stop_reason: "max_tokens" },
    ],
    [
      "an answer that was broken off",
      answer(assistant("A"), "abort"),
      500,
      error("api_error", "the backend broke off its answer (finish_reason abort)"),
    ],
    [
      "an answer that was broken off for want of resources",
      answer(assistant("A"), "insufficient_system_resource"),
      503,
      error("overloaded_error", "the backend broke off its answer (finish_reason insufficient_system_resource)"),
    ],
  ];
  test.each([...rows])("%s", (_name, json, status, body) => {
    expect(whole(json)).toMatchObject({ status, body });
  });
});

test("errors have the service's shape", () => {
  const facts = { message: "m", type: "tokens", code: "rate_limit_exceeded", param: "p" };
  expect(messagesToChat.error(429, facts)).toEqual({ type: "error", error: { type: "rate_limit_error", message: "m" } });
});
