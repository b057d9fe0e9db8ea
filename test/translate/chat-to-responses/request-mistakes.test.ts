import { expect, test } from "bun:test";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { NESTING_LEVELS_MAX, TEXT_CHARACTERS_MAX } from "../../../src/translate/limits.ts";
import { asking, HELLO, mistakeOf } from "./helpers.ts";

const invalidType = (param: string, expected: string, got: string) =>
  [param, "invalid_type", `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`] as const;
const missing = (param: string) => [param, "missing_required_parameter", `Missing required parameter: '${param}'.`] as const;
const invalidValue = (param: string, got: string, words: string) =>
  [param, "invalid_value", `Invalid value: '${got}'. Supported values are: ${words}.`] as const;
const emptyArray = (param: string) =>
  [
    param,
    "empty_array",
    `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
  ] as const;
const belowMin = (param: string, min: number, got: number) =>
  [
    param,
    "integer_below_min_value",
    `Invalid '${param}': integer below minimum value. Expected a value >= ${min}, but got ${got} instead.`,
  ] as const;

const CONTENT = "one of a string or array of objects";
const ROLES = "'system', 'developer', 'user', 'assistant', and 'tool'";
const USER_PARTS = "'text', 'image_url', 'input_audio', and 'file'";
const CALL = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

const user = (content: unknown) => ({ messages: [HELLO, { role: "user", content }] });
const assistant = (more: JsonObject) => ({ messages: [HELLO, { role: "assistant", ...more }] });
const call = (more: JsonObject) => assistant({ tool_calls: [{ ...CALL, ...more }] });
const tool = (more: JsonObject) => ({ messages: [HELLO, { role: "assistant", tool_calls: [CALL] }, { role: "tool", ...more }] });

type Expected = readonly [param: string, code: string | null, message: string | RegExp];

const MESSAGES: readonly (readonly [string, JsonObject, Expected])[] = [
  ["no messages", {}, missing("messages")],
  ["messages that are null", { messages: null }, invalidType("messages", "an array of objects", "null")],
  ["messages that are a text", { messages: "hi" }, invalidType("messages", "an array of objects", "a string")],
  ["an empty list of messages", { messages: [] }, emptyArray("messages")],
  ["a message that is a text", { messages: [HELLO, "hi"] }, invalidType("messages[1]", "an object", "a string")],
  ["a message without a role", { messages: [{ content: "hi" }] }, missing("messages[0].role")],
  ["a role that is a number", { messages: [{ role: 1, content: "hi" }] }, invalidType("messages[0].role", "a string", "an integer")],
  ["an unknown role", { messages: [{ role: "narrator", content: "hi" }] }, invalidValue("messages[0].role", "narrator", ROLES)],
  ["the role function", { messages: [{ role: "function", name: "f", content: "1" }] }, ["messages[0].role", "unsupported_value", /'tool'/]],
  ["a name that is a number", { messages: [{ ...HELLO, name: 1 }] }, invalidType("messages[0].name", "a string", "an integer")],
  ["a user message without content", { messages: [{ role: "user" }] }, missing("messages[0].content")],
  ["content that is a number", user(5), invalidType("messages[1].content", CONTENT, "an integer")],
  ["content that is null", user(null), invalidType("messages[1].content", CONTENT, "null")],
  ["content that is an object", user({}), invalidType("messages[1].content", CONTENT, "an object")],
  ["an empty list of parts", user([]), emptyArray("messages[1].content")],
  ["a part that is a text", user(["hi"]), invalidType("messages[1].content[0]", "an object", "a string")],
  ["a part without a type", user([{ text: "hi" }]), missing("messages[1].content[0].type")],
  ["an unknown part", user([{ type: "video" }]), invalidValue("messages[1].content[0].type", "video", USER_PARTS)],
  ["a text part without a text", user([{ type: "text" }]), missing("messages[1].content[0].text")],
  ["an image without a URL", user([{ type: "image_url", image_url: {} }]), missing("messages[1].content[0].image_url.url")],
  [
    "an image that is a text",
    user([{ type: "image_url", image_url: "https://a" }]),
    invalidType("messages[1].content[0].image_url", "an object", "a string"),
  ],
  [
    "a detail that is a number",
    user([{ type: "image_url", image_url: { url: "https://a", detail: 1 } }]),
    invalidType("messages[1].content[0].image_url.detail", "a string", "an integer"),
  ],
  ["a file of nothing", user([{ type: "file", file: { filename: "a" } }]), missing("messages[1].content[0].file.file_id")],
  [
    "audio",
    user([
      { type: "text", text: "Listen" },
      { type: "input_audio", input_audio: { data: "AA==", format: "wav" } },
    ]),
    [
      "messages[1].content[1]",
      "unsupported_content",
      "Unsupported content: 'messages[1].content[1]' is audio, which the backend of this model cannot take.",
    ],
  ],
  [
    "an image in a system message",
    { messages: [{ role: "system", content: [{ type: "image_url", image_url: { url: "https://a" } }] }] },
    invalidValue("messages[0].content[0].type", "image_url", "'text'"),
  ],
  ["an assistant that says nothing", assistant({}), missing("messages[1].content")],
  ["an assistant that says null", assistant({ content: null, refusal: null, tool_calls: [] }), missing("messages[1].content")],
  ["an assistant of no parts", assistant({ content: [] }), emptyArray("messages[1].content")],
  [
    "an assistant's image",
    assistant({ content: [{ type: "image_url" }] }),
    invalidValue("messages[1].content[0].type", "image_url", "'text' and 'refusal'"),
  ],
  ["a refusal that is a flag", assistant({ refusal: true }), invalidType("messages[1].refusal", "a string", "a boolean")],
  [
    "the deprecated function_call",
    assistant({ function_call: { name: "f" } }),
    ["messages[1].function_call", "unsupported_parameter", /tool_calls/],
  ],
  ["an earlier answer in sound", assistant({ content: "hi", audio: { id: "a" } }), ["messages[1].audio", "unsupported_content", /audio/]],
  ["calls that are an object", assistant({ tool_calls: {} }), invalidType("messages[1].tool_calls", "an array of objects", "an object")],
  ["a call that is null", assistant({ tool_calls: [null] }), invalidType("messages[1].tool_calls[0]", "an object", "null")],
  ["a call without an id", call({ id: undefined }), missing("messages[1].tool_calls[0].id")],
  ["a call of unknown type", call({ type: "mcp" }), invalidValue("messages[1].tool_calls[0].type", "mcp", "'function' and 'custom'")],
  ["a call without its function", call({ function: undefined }), missing("messages[1].tool_calls[0].function")],
  ["a call without a name", call({ function: { arguments: "{}" } }), missing("messages[1].tool_calls[0].function.name")],
  [
    "arguments that are an object",
    call({ function: { name: "f", arguments: {} } }),
    invalidType("messages[1].tool_calls[0].function.arguments", "a string", "an object"),
  ],
  ["a result without the id of its call", tool({ content: "1" }), missing("messages[2].tool_call_id")],
  [
    "a result of a call that nobody made",
    tool({ tool_call_id: "call_9", content: "1" }),
    [
      "messages.[2].role",
      null,
      "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ],
  ],
  [
    "a result before its call",
    {
      messages: [
        { role: "tool", tool_call_id: "call_1", content: "1" },
        { role: "assistant", tool_calls: [CALL] },
      ],
    },
    ["messages.[0].role", null, /preceeding/],
  ],
  ["a result without content", tool({ tool_call_id: "call_1" }), missing("messages[2].content")],
  ["a result that is a number", tool({ tool_call_id: "call_1", content: 1 }), invalidType("messages[2].content", CONTENT, "an integer")],
];

test.each(MESSAGES)("messages: %s", (_title, json, [param, code, message]) => {
  expect(mistakeOf(json)).toEqual({
    kind: "mistake",
    status: 400,
    param,
    code,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });
});

/** Every known parameter with a value of another type, and what it should have been. */
const TYPES: readonly (readonly [string, unknown, string, string])[] = [
  ...[
    "model",
    "user",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "reasoning_effort",
    "verbosity",
  ].map((name) => [name, 5, "a string", "an integer"] as const),
  ...["stream", "store", "parallel_tool_calls", "logprobs"].map((name) => [name, "yes", "a boolean", "a string"] as const),
  ...["temperature", "top_p", "frequency_penalty", "presence_penalty"].map((name) => [name, "0.5", "a decimal", "a string"] as const),
  ...["max_tokens", "max_completion_tokens", "top_logprobs", "n", "seed"].map(
    (name) => [name, 1.5, "an integer", "a decimal number"] as const,
  ),
  ...[
    "metadata",
    "prompt_cache_options",
    "response_format",
    "stream_options",
    "logit_bias",
    "prediction",
    "web_search_options",
    "moderation",
  ].map((name) => [name, [], "an object", "an array"] as const),
  ["tools", {}, "an array of objects", "an object"],
  ["tool_choice", true, "one of a string or object", "a boolean"],
  ["modalities", "text", "an array of strings", "a string"],
  ["stop", 5, "one of a string or array of strings", "an integer"],
  ["stop", [5], "one of a string or array of strings", "an array"],
];

test.each(TYPES)("%s of the wrong type: %j", (name, value, expected, got) => {
  const [param, code, message] = invalidType(name, expected, got);
  expect(mistakeOf(asking({ [name]: value }))).toMatchObject({ status: 400, param, code, message });
});

const format = (json_schema: unknown) => ({ response_format: { type: "json_schema", json_schema } });
const functionTool = (more: JsonObject) => ({ tools: [{ type: "function", function: { name: "f", ...more } }] });
const allowed = (allowed_tools: unknown) => ({ tool_choice: { type: "allowed_tools", allowed_tools } });

const PARAMETERS: readonly (readonly [JsonObject, Expected])[] = [
  [{ max_tokens: -1 }, belowMin("max_tokens", 1, -1)],
  [{ max_completion_tokens: 0 }, belowMin("max_completion_tokens", 1, 0)],
  [{ max_tokens: 0, max_completion_tokens: 5 }, belowMin("max_tokens", 1, 0)],
  [{ n: 0 }, belowMin("n", 1, 0)],
  [{ top_logprobs: -1 }, belowMin("top_logprobs", 0, -1)],
  [{ functions: [] }, ["functions", "unsupported_parameter", /'tools'/]],
  [{ function_call: "auto" }, ["function_call", "unsupported_parameter", /'tool_choice'/]],
  [{ audio: { voice: "alloy", format: "wav" } }, ["audio", "unsupported_parameter", /text alone/]],
  [{ modalities: ["text", "audio"] }, ["modalities", "unsupported_value", /text alone/]],
  [{ modalities: [1] }, invalidType("modalities[0]", "a string", "an integer")],
  [{ response_format: {} }, missing("response_format.type")],
  [{ response_format: { type: "xml" } }, invalidValue("response_format.type", "xml", "'text', 'json_object', and 'json_schema'")],
  [format(undefined), missing("response_format.json_schema")],
  [format({ schema: {} }), missing("response_format.json_schema.name")],
  [format({ name: "n" }), missing("response_format.json_schema.schema")],
  [format({ name: "n", schema: {}, strict: 1 }), invalidType("response_format.json_schema.strict", "a boolean", "an integer")],
  [{ stream_options: { include_usage: "yes" } }, invalidType("stream_options.include_usage", "a boolean", "a string")],
  [{ tools: ["f"] }, invalidType("tools[0]", "an object", "a string")],
  [{ tools: [{ function: { name: "f" } }] }, missing("tools[0].type")],
  [{ tools: [{ type: "web_search" }] }, invalidValue("tools[0].type", "web_search", "'function' and 'custom'")],
  [{ tools: [{ type: "function" }] }, missing("tools[0].function")],
  [{ tools: [{ type: "function", function: {} }] }, missing("tools[0].function.name")],
  [functionTool({ name: "" }), ["tools[0].function.name", "empty_string", /empty string/]],
  [functionTool({ parameters: "{}" }), invalidType("tools[0].function.parameters", "an object", "a string")],
  [functionTool({ strict: "yes" }), invalidType("tools[0].function.strict", "a boolean", "a string")],
  [functionTool({ description: 1 }), invalidType("tools[0].function.description", "a string", "an integer")],
  [{ tools: [{ type: "custom", custom: { name: "c", format: { type: "grammar" } } }] }, missing("tools[0].custom.format.grammar")],
  [{ tool_choice: "any" }, invalidValue("tool_choice", "any", "'none', 'auto', and 'required'")],
  [{ tool_choice: { type: "mcp" } }, invalidValue("tool_choice.type", "mcp", "'function', 'custom', and 'allowed_tools'")],
  [{ tool_choice: { type: "function", name: "f" } }, missing("tool_choice.function")],
  [allowed({ mode: "auto" }), missing("tool_choice.allowed_tools.tools")],
  [allowed({ tools: [] }), missing("tool_choice.allowed_tools.mode")],
  [
    allowed({ mode: "auto", tools: [{ type: "mcp" }] }),
    invalidValue("tool_choice.allowed_tools.tools[0].type", "mcp", "'function' and 'custom'"),
  ],
];

test.each(PARAMETERS)("parameters: %j", (parameters, [param, code, message]) => {
  const expected = typeof message === "string" ? message : expect.stringMatching(message);
  expect(mistakeOf(asking(parameters))).toEqual({ kind: "mistake", status: 400, param, code, message: expected });
});

const LONG = "a".repeat(TEXT_CHARACTERS_MAX + 1);

test.each([
  ["messages[0].content", { messages: [{ role: "user", content: LONG }] }],
  ["messages[0].content[0].text", { messages: [{ role: "user", content: [{ type: "text", text: LONG }] }] }],
  ["messages[0].refusal", { messages: [{ role: "assistant", refusal: LONG }] }],
  [
    "messages[0].tool_calls[0].function.arguments",
    { messages: [{ role: "assistant", tool_calls: [{ ...CALL, function: { name: "f", arguments: LONG } }] }] },
  ],
])("a text that is too long: %s", (param, json) => {
  expect(mistakeOf(json)).toEqual({
    kind: "mistake",
    status: 400,
    param,
    code: "string_above_max_length",
    message: `Invalid '${param}': string too long. Expected a string with maximum length 8388608, but got a string with length 8388609 instead.`,
  });
});

test("a text of the greatest length is none too long", () => {
  const content = "a".repeat(TEXT_CHARACTERS_MAX);
  expect(() => mistakeOf({ messages: [{ role: "user", content }] })).toThrow("no mistake");
});

function nested(depth: number): JsonObject {
  let value: JsonObject = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

test.each([
  ["tools[0].function.parameters", (value: JsonObject) => functionTool({ parameters: value })],
  ["response_format.json_schema.schema", (value: JsonObject) => format({ name: "n", schema: value })],
  ["metadata", (metadata: JsonObject) => ({ metadata })],
] as const)("%s that could not be written as JSON again", (param, parametersOf) => {
  expect(mistakeOf(asking(parametersOf(nested(100_000))))).toMatchObject({ status: 400, param, code: "invalid_value" });
  expect(() => mistakeOf(asking(parametersOf(nested(NESTING_LEVELS_MAX))))).toThrow("no mistake");
});

test("a wrong value is repeated as far as it helps", () => {
  const { message } = mistakeOf({ messages: [{ role: "x".repeat(100_000), content: "" }] });
  expect(message.length).toBeLessThan(300);
});

test("the first mistake counts", () => {
  const json = { messages: [{ role: "user" }, { role: "narrator" }], temperature: "hot" };
  expect(mistakeOf(json).param).toBe("messages[0].content");
});
