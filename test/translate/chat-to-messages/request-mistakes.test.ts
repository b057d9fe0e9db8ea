import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { NESTING_LEVELS_MAX, TEXT_CHARACTERS_MAX } from "../../../src/translate/limits.ts";
import { asking, HELLO, mistakeOf, translated } from "./helpers.ts";

/** OpenAI's words for each kind of mistake are tested with the other translation of Chat Completions: here, that they come at the right place. */
type Row = readonly [title: string, given: JsonObject, param: string, code: string | null, message?: RegExp];

const CALL = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
const user = (content: unknown) => ({ messages: [HELLO, { role: "user", content }] });
const part = (given: JsonObject) => user([{ type: "text", text: "A" }, given]);
const assistant = (more: JsonObject) => ({ messages: [HELLO, { role: "assistant", ...more }] });
const call = (more: JsonObject) => assistant({ tool_calls: [{ ...CALL, ...more }] });
const answered = (...more: readonly JsonObject[]) => ({
  messages: [HELLO, { role: "assistant", tool_calls: [CALL, { ...CALL, id: "call_2" }] }, ...more],
});
const result = (tool_call_id: string, content: unknown = "1") => ({ role: "tool", tool_call_id, content });

const MISSING = "missing_required_parameter";
const AT_PART = "messages[1].content[1]";

const MESSAGES: readonly Row[] = [
  ["none", { messages: undefined }, "messages", MISSING],
  ["an empty list", { messages: [] }, "messages", "empty_array"],
  ["blank ones alone", { messages: [{ role: "user", content: " " }] }, "messages", "invalid_value", /blank/],
  ["one that is no object", { messages: [HELLO, "Hi"] }, "messages[1]", "invalid_type"],
  ["no role", { messages: [{ content: "A" }] }, "messages[0].role", MISSING],
  [
    "an unknown role",
    { messages: [{ role: "narrator", content: "A" }] },
    "messages[0].role",
    "invalid_value",
    /'system', 'developer', 'user', 'assistant', and 'tool'/,
  ],
  [
    "the role of old for results",
    { messages: [{ role: "function", name: "f", content: "1" }] },
    "messages[0].role",
    "unsupported_value",
    /'tool'/,
  ],
  ["a name that is a number", { messages: [{ ...HELLO, name: 1 }] }, "messages[0].name", "invalid_type"],
  ["no content", { messages: [{ role: "user" }] }, "messages[0].content", MISSING],
  ["content that is null", user(null), "messages[1].content", "invalid_type"],
  ["an empty list of parts", user([]), "messages[1].content", "empty_array"],
  ["a part without a type", part({ text: "A" }), `${AT_PART}.type`, MISSING],
  ["an unknown part", part({ type: "video" }), `${AT_PART}.type`, "invalid_value"],
  ["a text part without a text", part({ type: "text" }), `${AT_PART}.text`, MISSING],
  ["an image without a URL", part({ type: "image_url", image_url: {} }), `${AT_PART}.image_url.url`, MISSING],
  [
    "an image that is elsewhere",
    part({ type: "image_url", image_url: { url: "gs://a/b.png" } }),
    `${AT_PART}.image_url.url`,
    "invalid_value",
    /http or https/,
  ],
  [
    "an image that is none",
    part({ type: "image_url", image_url: { url: "data:application/pdf;base64,AA==" } }),
    `${AT_PART}.image_url.url`,
    "invalid_value",
  ],
  [
    "an image that is not in base64",
    part({ type: "image_url", image_url: { url: "data:image/svg+xml,<svg/>" } }),
    `${AT_PART}.image_url.url`,
    "invalid_value",
  ],
  [
    "how closely to look, as a number",
    part({ type: "image_url", image_url: { url: "https://a", detail: 1 } }),
    `${AT_PART}.image_url.detail`,
    "invalid_type",
  ],
  ["a file of nothing", part({ type: "file", file: { filename: "a" } }), `${AT_PART}.file.file_data`, MISSING],
  ["a file by its id", part({ type: "file", file: { file_id: "file-1" } }), `${AT_PART}.file.file_id`, "unsupported_content", /file_data/],
  [
    "a file of another kind",
    part({ type: "file", file: { file_data: "data:application/zip;base64,AA==" } }),
    `${AT_PART}.file.file_data`,
    "unsupported_content",
  ],
  ["audio", part({ type: "input_audio", input_audio: { data: "AA==", format: "wav" } }), AT_PART, "unsupported_content"],
  [
    "an image in a system message",
    { messages: [{ role: "system", content: [{ type: "image_url" }] }] },
    "messages[0].content[0].type",
    "invalid_value",
  ],
  ["an assistant that says nothing", assistant({ content: null }), "messages[1].content", MISSING],
  ["an assistant's image", assistant({ content: [{ type: "image_url" }] }), "messages[1].content[0].type", "invalid_value"],
  ["a refusal that is a flag", assistant({ refusal: true }), "messages[1].refusal", "invalid_type"],
  ["the call of old", assistant({ function_call: { name: "f" } }), "messages[1].function_call", "unsupported_parameter", /tool_calls/],
  ["an earlier answer in sound", assistant({ content: "A", audio: { id: "a" } }), "messages[1].audio", "unsupported_content"],
  ["calls that are an object", assistant({ tool_calls: {} }), "messages[1].tool_calls", "invalid_type"],
  ["a call without an id", call({ id: undefined }), "messages[1].tool_calls[0].id", MISSING],
  ["a call of unknown type", call({ type: "mcp" }), "messages[1].tool_calls[0].type", "invalid_value"],
  ["a call without its function", call({ function: undefined }), "messages[1].tool_calls[0].function", MISSING],
  ["a call without a name", call({ function: { arguments: "{}" } }), "messages[1].tool_calls[0].function.name", MISSING],
  [
    "arguments that are an object",
    call({ function: { name: "f", arguments: {} } }),
    "messages[1].tool_calls[0].function.arguments",
    "invalid_type",
  ],
  ["a result without the id of its call", answered({ role: "tool", content: "1" }), "messages[2].tool_call_id", MISSING],
  ["a result without content", answered({ role: "tool", tool_call_id: "call_1" }), "messages[2].content", MISSING],
  ["a result of a call that nobody made", answered(result("call_9")), "messages.[2].role", null, /preceeding/],
  ["a second result", answered(result("call_1"), result("call_1")), "messages.[3].role", null, /preceeding/],
  ["a call without a result at the end", answered(result("call_1")), "messages", null, /did not have response messages: call_2$/],
  [
    "calls without results before the user speaks",
    answered(HELLO, result("call_1")),
    "messages.[2].role",
    null,
    /did not have response messages: call_1, call_2$/,
  ],
];

const format = (json_schema: unknown) => ({ response_format: { type: "json_schema", json_schema } });
const fn = (more: JsonObject) => ({ tools: [{ type: "function", function: { name: "f", ...more } }] });
const allowed = (allowed_tools: unknown) => ({ ...fn({}), tool_choice: { type: "allowed_tools", allowed_tools } });
const named = (name: string) => ({ type: "function", function: { name } });

const PARAMETERS: readonly Row[] = [
  ...[
    "model",
    "user",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "reasoning_effort",
    "verbosity",
  ].map((name): Row => [name, { [name]: 5 }, name, "invalid_type"]),
  ...["stream", "store", "parallel_tool_calls", "logprobs"].map((name): Row => [name, { [name]: "yes" }, name, "invalid_type"]),
  ...["temperature", "top_p", "frequency_penalty", "presence_penalty"].map((name): Row => [name, { [name]: "0.5" }, name, "invalid_type"]),
  ...["max_tokens", "max_completion_tokens", "top_logprobs", "n", "seed"].map((name): Row => [name, { [name]: 1.5 }, name, "invalid_type"]),
  ...[
    "metadata",
    "prompt_cache_options",
    "response_format",
    "stream_options",
    "logit_bias",
    "prediction",
    "web_search_options",
    "moderation",
  ].map((name): Row => [name, { [name]: [] }, name, "invalid_type"]),
  ["tools that are an object", { tools: {} }, "tools", "invalid_type"],
  ["a choice that is a flag", { ...fn({}), tool_choice: true }, "tool_choice", "invalid_type"],
  ["modalities that are a text", { modalities: "text" }, "modalities", "invalid_type"],
  ["a stop that is a number", { stop: [5] }, "stop", "invalid_type"],
  ["a limit of nothing", { max_tokens: 0 }, "max_tokens", "integer_below_min_value"],
  ["no answers", { n: 0 }, "n", "integer_below_min_value"],
  ["functions of old", { functions: [] }, "functions", "unsupported_parameter", /'tools'/],
  ["the choice of old", { function_call: "auto" }, "function_call", "unsupported_parameter", /'tool_choice'/],
  ["an answer in sound", { audio: { voice: "alloy", format: "wav" } }, "audio", "unsupported_parameter", /text alone/],
  ["sound among the modalities", { modalities: ["text", "audio"] }, "modalities", "unsupported_value", /text alone/],
  ["a format without a type", { response_format: {} }, "response_format.type", MISSING],
  ["an unknown format", { response_format: { type: "xml" } }, "response_format.type", "invalid_value"],
  ["a schema without a name", format({ schema: {} }), "response_format.json_schema.name", MISSING],
  ["no schema", format({ name: "n" }), "response_format.json_schema.schema", MISSING],
  ["a tool without a type", { tools: [{ function: { name: "f" } }] }, "tools[0].type", MISSING],
  ["an unknown tool", { tools: [{ type: "web_search" }] }, "tools[0].type", "invalid_value"],
  ["a function without a name", fn({ name: undefined }), "tools[0].function.name", MISSING],
  ["parameters that are a text", fn({ parameters: "{}" }), "tools[0].function.parameters", "invalid_type"],
  ["strict that is a text", fn({ strict: "yes" }), "tools[0].function.strict", "invalid_type"],
  [
    "a grammar that is none",
    { tools: [{ type: "custom", custom: { name: "c", format: { type: "grammar" } } }] },
    "tools[0].custom.format.grammar",
    MISSING,
  ],
  ["an unknown choice", { ...fn({}), tool_choice: "any" }, "tool_choice", "invalid_value"],
  ["a choice without a function", { ...fn({}), tool_choice: { type: "function", name: "f" } }, "tool_choice.function", MISSING],
  ["a choice among tools that are not there", { tool_choice: "required" }, "tool_choice", null, /only allowed when 'tools' are specified/],
  ["a tool that is not there", { ...fn({}), tool_choice: named("g") }, "tool_choice", null, /'g' is not found/],
  ["allowed tools that are not there", allowed({ mode: "auto", tools: [named("f"), named("g")] }), "tool_choice", null, /'g' is not found/],
  ["allowed tools without a mode", allowed({ tools: [] }), "tool_choice.allowed_tools.mode", MISSING],
  ["no allowed tools", allowed({ mode: "auto" }), "tool_choice.allowed_tools.tools", MISSING],
];

describe.each([
  ["messages", MESSAGES],
  ["parameters", PARAMETERS],
] as const)("mistakes in %s", (_kind, rows) => {
  test.each([...rows])("%s", (_title, given, param, code, message = /\w/) => {
    expect(mistakeOf(asking(given))).toEqual({ kind: "mistake", status: 400, param, code, message: expect.stringMatching(message) });
  });
});

test("the first mistake counts", () => {
  expect(mistakeOf(asking({ messages: [{ role: "user" }, { role: "narrator" }], temperature: "hot" })).param).toBe("messages[0].content");
});

const LONG = "a".repeat(TEXT_CHARACTERS_MAX + 1);

test.each([
  ["messages[0].content", { messages: [{ role: "user", content: LONG }] }],
  ["messages[0].refusal", { messages: [{ role: "assistant", refusal: LONG }] }],
  ["messages[1].tool_calls[0].function.arguments", call({ function: { name: "f", arguments: LONG } })],
])("a text that is too long: %s", (param, given) => {
  expect(mistakeOf(asking(given))).toMatchObject({ param, code: "string_above_max_length" });
});

function nested(depth: number): JsonObject {
  let value: JsonObject = { type: "object" };
  for (let level = 1; level < depth; level++) value = { type: "object", a: value };
  return value;
}

test.each([
  ["tools[0].function.parameters", (value: JsonObject) => fn({ parameters: value })],
  ["response_format.json_schema.schema", (value: JsonObject) => format({ name: "n", schema: value })],
  ["metadata", (metadata: JsonObject) => ({ metadata })],
] as const)("%s that could not be written as JSON again", (param, given) => {
  expect(mistakeOf(asking(given(nested(100_000))))).toMatchObject({ param, code: "invalid_value" });
  expect(translated(asking(given(nested(NESTING_LEVELS_MAX)))).kind).toBe("request");
});

test("what is repeated to the client is short", () => {
  const many = Array.from({ length: 1_000 }, (_, index) => ({ ...CALL, id: `call_${index}` }));
  expect(mistakeOf(asking(assistant({ tool_calls: many }))).message.length).toBeLessThan(500);
  expect(mistakeOf(asking({ ...fn({}), tool_choice: named("x".repeat(100_000)) })).message.length).toBeLessThan(300);
});
