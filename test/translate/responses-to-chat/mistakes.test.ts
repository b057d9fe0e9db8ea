import { describe, expect, test } from "bun:test";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { OPTIONS } from "./support.ts";

const user = { role: "user", content: "Hi" };
const part = (value: unknown) => ({ input: [{ role: "user", content: [value] }] });
const call = { type: "function_call", call_id: "a", name: "f", arguments: "{}" };
const f = { type: "function", name: "f", parameters: {}, strict: false };
const LONG = "x".repeat(8 * 1024 * 1024 + 1);

type Row = readonly [param: string | null, code: string | null, message: RegExp, request: Record<string, unknown>];

describe("a mistake is named as OpenAI names it", () => {
  const rows: readonly Row[] = [
    ["input", "missing_required_parameter", /Missing required parameter: 'input'/, {}],
    ["input", "missing_required_parameter", /'input'/, { input: null }],
    ["input", "missing_required_parameter", /'input'/, { input: [] }],
    ["input", "invalid_type", /expected one of a string or an array of objects, but got an integer instead/, { input: 1 }],
    ["input[0]", "invalid_type", /got a string/, { input: ["Hi"] }],
    ["input[1].type", "invalid_type", /got an integer/, { input: [user, { type: 1 }] }],
    ["input[0].type", "invalid_value", /'functon_call'.*'function_call'/, { input: [{ type: "functon_call" }] }],
    ["input[0].role", "missing_required_parameter", /role/, { input: [{ content: "Hi" }] }],
    [
      "input[0].role",
      "invalid_value",
      /Invalid value: 'tool'\. Supported values are: 'assistant', 'system', 'developer', 'user'\./,
      { input: [{ role: "tool", content: "" }] },
    ],
    ["input[0].content", "missing_required_parameter", /content/, { input: [{ role: "user" }] }],
    ["input[0].content", "invalid_type", /got an object/, { input: [{ role: "user", content: {} }] }],
    ["input[0].content[0]", "invalid_type", /got null/, part(null)],
    ["input[0].content[0].type", "missing_required_parameter", /type/, part({})],
    ["input[0].content[0].type", "invalid_value", /'input_audio'/, part({ type: "input_audio", input_audio: {} })],
    ["input[0].content[0].type", "invalid_value", /'refusal'/, part({ type: "refusal", refusal: "No." })],
    ["input[0].content[0].text", "missing_required_parameter", /text/, part({ type: "input_text" })],
    ["input[0].content[0].text", "invalid_type", /got a boolean/, part({ type: "input_text", text: true })],
    ["input[0].content[0].image_url", "missing_required_parameter", /image_url/, part({ type: "input_image" })],
    ["input[0].content[0].image_url", "invalid_type", /got an object/, part({ type: "input_image", image_url: { url: "x" } })],
    ["input[0].content[0].file_id", "invalid_value", /image_url/, part({ type: "input_image", file_id: "file-1" })],
    ["input[0].content[0].file_url", "invalid_value", /file_data/, part({ type: "input_file", file_url: "https://x" })],
    ["input[0].content[0].file_data", "missing_required_parameter", /file_data/, part({ type: "input_file" })],
    [
      "input[0].content[0].type",
      "invalid_value",
      /input_image/,
      { input: [{ role: "assistant", content: [{ type: "input_image", image_url: "x" }] }] },
    ],
    [
      "input[0].content[0].type",
      "invalid_value",
      /input_image/,
      { input: [{ role: "system", content: [{ type: "input_image", image_url: "x" }] }] },
    ],
    ["input[0].call_id", "missing_required_parameter", /call_id/, { input: [{ ...call, call_id: undefined }] }],
    ["input[0].name", "missing_required_parameter", /name/, { input: [{ ...call, name: "" }] }],
    ["input[0].arguments", "invalid_type", /got an object/, { input: [{ ...call, arguments: {} }] }],
    ["input[0].input", "missing_required_parameter", /input/, { input: [{ type: "custom_tool_call", call_id: "a", name: "p" }] }],
    [
      "input[1].call_id",
      "missing_required_parameter",
      /call_id/,
      { input: [call, { type: "function_call_output", call_id: null, output: "x" }] },
    ],
    ["input[1].output", "missing_required_parameter", /output/, { input: [call, { type: "function_call_output", call_id: "a" }] }],
    [
      "input[1].output[0].type",
      "invalid_value",
      /'audio'/,
      { input: [call, { type: "function_call_output", call_id: "a", output: [{ type: "audio" }] }] },
    ],
    [
      "input",
      null,
      /^No tool call found for function call output with call_id b\.$/,
      { input: [call, { type: "function_call_output", call_id: "b", output: "x" }] },
    ],
    [
      "input",
      null,
      /^No tool call found for function call output with call_id a\.$/,
      { input: [{ type: "function_call_output", call_id: "a", output: "x" }, call] },
    ],
    [
      "input",
      null,
      /^No tool call found for custom tool call output with call_id a\.$/,
      { input: [{ type: "custom_tool_call_output", call_id: "a", output: "x" }] },
    ],
    ["input", null, /^No tool output found for function call a\.$/, { input: [call, user] }],
    ["input[0].type", "invalid_value", /only the Responses service holds/, { input: [{ type: "item_reference", id: "msg_1" }] }],
    ["input[0].type", "invalid_value", /'item_reference'/, { input: [{ id: "msg_1" }] }],
    ["input[0].type", "invalid_value", /'compaction'/, { input: [{ type: "compaction", encrypted_content: "A" }] }],
    [
      "input[0].tools[0].name",
      "missing_required_parameter",
      /name/,
      { input: [{ type: "additional_tools", tools: [{ type: "function" }] }] },
    ],
    ["previous_response_id", "unsupported_parameter", /keeps nothing between requests/, { input: "Hi", previous_response_id: "resp_1" }],
    ["conversation", "unsupported_parameter", /keeps nothing/, { input: "Hi", conversation: "conv_1" }],
    ["prompt", "unsupported_parameter", /keeps nothing/, { prompt: { id: "pmpt_1" } }],
    ["background", "unsupported_parameter", /while the client waits/, { input: "Hi", background: true }],
    ["background", "invalid_type", /a boolean/, { input: "Hi", background: "yes" }],
    ["temperature", "invalid_type", /expected a number, but got a string instead/, { input: "Hi", temperature: "0" }],
    ["stream", "invalid_type", /a boolean/, { input: "Hi", stream: 1 }],
    ["model", "invalid_type", /a string/, { input: "Hi", model: {} }],
    ["instructions", "invalid_type", /a string/, { input: "Hi", instructions: [] }],
    ["max_output_tokens", "invalid_type", /an integer, but got a decimal number/, { input: "Hi", max_output_tokens: 1.5 }],
    ["max_output_tokens", "integer_below_min_value", />= 1/, { input: "Hi", max_output_tokens: 0 }],
    ["top_logprobs", "integer_below_min_value", />= 0/, { input: "Hi", top_logprobs: -1 }],
    ["reasoning.effort", "invalid_type", /a string/, { input: "Hi", reasoning: { effort: 1 } }],
    ["text.verbosity", "invalid_type", /a string/, { input: "Hi", text: { verbosity: 1 } }],
    ["text.format", "invalid_type", /an object/, { input: "Hi", text: { format: "json" } }],
    ["text.format.type", "invalid_value", /'grammar'/, { input: "Hi", text: { format: { type: "grammar" } } }],
    ["text.format.name", "missing_required_parameter", /name/, { input: "Hi", text: { format: { type: "json_schema", schema: {} } } }],
    ["text.format.schema", "missing_required_parameter", /schema/, { input: "Hi", text: { format: { type: "json_schema", name: "n" } } }],
    ["tools", "invalid_type", /an array of objects/, { input: "Hi", tools: {} }],
    ["tools[0]", "invalid_type", /an object/, { input: "Hi", tools: ["f"] }],
    ["tools[0].type", "missing_required_parameter", /type/, { input: "Hi", tools: [{}] }],
    ["tools[1].name", "missing_required_parameter", /name/, { input: "Hi", tools: [f, { type: "custom" }] }],
    ["tools[0].parameters", "invalid_type", /an object/, { input: "Hi", tools: [{ ...f, parameters: "{}" }] }],
    [
      "tools[0].tools[0].strict",
      "invalid_type",
      /a boolean/,
      { input: "Hi", tools: [{ type: "namespace", name: "n", tools: [{ ...f, strict: 1 }] }] },
    ],
    [
      "tools[0].format.type",
      "invalid_value",
      /'regex'/,
      { input: "Hi", tools: [{ type: "custom", name: "c", format: { type: "regex" } }] },
    ],
    [
      "tools[0].format.definition",
      "missing_required_parameter",
      /definition/,
      { input: "Hi", tools: [{ type: "custom", name: "c", format: { type: "grammar" } }] },
    ],
    ["tool_choice", "invalid_type", /a string or an object/, { input: "Hi", tool_choice: 1 }],
    ["tool_choice", "invalid_value", /'any'/, { input: "Hi", tools: [f], tool_choice: "any" }],
    [
      "tool_choice",
      "invalid_value",
      /Tool choice 'g' not found in 'tools' parameter\./,
      { input: "Hi", tools: [f], tool_choice: { type: "function", name: "g" } },
    ],
    [
      "tool_choice",
      "invalid_value",
      /forces the tool 'web_search'/,
      { input: "Hi", tools: [f, { type: "web_search" }], tool_choice: { type: "web_search" } },
    ],
    [
      "tool_choice",
      "invalid_value",
      /none of 'tools' can be offered/,
      { input: "Hi", tools: [{ type: "web_search" }], tool_choice: "required" },
    ],
    [
      "tool_choice",
      "invalid_value",
      /none of 'tools'/,
      { input: "Hi", tools: [f, { type: "mcp" }], tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "mcp" }] } },
    ],
    [
      "tool_choice.mode",
      "invalid_value",
      /'all'/,
      { input: "Hi", tools: [f], tool_choice: { type: "allowed_tools", mode: "all", tools: [] } },
    ],
    [
      "tool_choice.tools",
      "invalid_type",
      /an array/,
      { input: "Hi", tools: [f], tool_choice: { type: "allowed_tools", mode: "auto", tools: {} } },
    ],
    ["input", "string_above_max_length", /maximum length 8388608, but got a string with length 8388609/, { input: LONG }],
    ["instructions", "string_above_max_length", /instructions/, { input: "Hi", instructions: LONG }],
    ["input[0].content[0].text", "string_above_max_length", /too long/, part({ type: "input_text", text: LONG })],
    ["input[0].arguments", "string_above_max_length", /too long/, { input: [{ ...call, arguments: LONG }] }],
  ];
  const named = rows.map(([param, code, message, request]) => ({ title: `${param}: ${message.source}`, param, code, message, request }));
  test.each(named)("$title", ({ param, code, message, request }) => {
    expect(responsesToChat.request(request, OPTIONS)).toEqual({
      kind: "mistake",
      status: 400,
      param,
      code,
      message: expect.stringMatching(message),
    });
  });
});

test("a request of which nothing is left is a mistake", () => {
  const onlySystem = { input: [{ role: "system", content: "Be kind." }] };
  expect(responsesToChat.request(onlySystem, { systemMessages: "drop" })).toMatchObject({ kind: "mistake", param: "input" });
  expect(responsesToChat.request(onlySystem, OPTIONS)).toMatchObject({ kind: "request" });
});

test("what is nested without an end is a mistake, wherever it would go on", () => {
  let deep: unknown = {};
  for (let level = 0; level < 100_000; level++) deep = { a: deep };
  const tools = [{ ...f, parameters: deep }];
  const rows = [
    ["tools", { input: "Hi", tools }],
    ["input[0].tools", { input: [{ type: "additional_tools", tools }] }],
    ["metadata", { input: "Hi", metadata: deep }],
    ["text", { input: "Hi", text: { format: deep } }],
    ["tool_choice", { input: "Hi", tool_choice: deep }],
  ] as const;
  for (const [param, request] of rows) {
    expect(responsesToChat.request(request, OPTIONS)).toMatchObject({ param, message: expect.stringContaining("128 levels") });
  }
  expect(responsesToChat.request({ input: "Hi", anything: deep }, OPTIONS)).toMatchObject({ dropped: ["anything"] });
});

test("an image may be longer than a text", () => {
  expect(responsesToChat.request(part({ type: "input_image", image_url: LONG }), OPTIONS)).toMatchObject({ kind: "request" });
});
