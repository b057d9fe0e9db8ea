import { describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { CLAUDE_LIMIT_TOKENS, OTHER_LIMIT_TOKENS } from "../../../src/translate/chat-to-messages/models.ts";
import { asking, expectedBody, HELLO, translated } from "./helpers.ts";

const PNG = "iVBORw0KGgo=";
const call = (id: string, name = "f", argumentsText = "{}") => ({ id, type: "function", function: { name, arguments: argumentsText } });
const result = (id: string, content: unknown = "1") => ({ role: "tool", tool_call_id: id, content });
const use = (id: string, name = "f", input: JsonObject = {}) => ({ type: "tool_use", id, name, input });
const answered = (id: string, content: unknown = "1") => ({ type: "tool_result", tool_use_id: id, content });
const text = (said: string) => ({ type: "text", text: said });

test("a whole request, by the official types of both", () => {
  const request: OpenAI.ChatCompletionCreateParams = {
    model: "claude-opus-4-6",
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Weather?" }] },
      {
        role: "assistant",
        content: "I look.",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: '{"a":1}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "rain" },
      { role: "user", content: "And tomorrow?" },
    ],
    tools: [
      {
        type: "function",
        function: { name: "f", description: "D", parameters: { type: "object", properties: { a: { type: "number" } } } },
      },
    ],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_completion_tokens: 50,
    stop: "END",
    temperature: 0.5,
    reasoning_effort: "high",
    safety_identifier: "u-1",
    service_tier: "default",
    stream: true,
    stream_options: { include_usage: true },
  };
  const { body, dropped } = translated(request as unknown as JsonObject);
  expect(dropped).toEqual([]);
  expect(body).toEqual(
    expectedBody({
      model: "claude-opus-4-6",
      max_tokens: 50,
      system: "Be brief.",
      messages: [
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          content: [
            { type: "text", text: "I look." },
            { type: "tool_use", id: "call_1", name: "f", input: { a: 1 } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call_1", content: "rain" },
            { type: "text", text: "And tomorrow?" },
          ],
        },
      ],
      tools: [{ name: "f", description: "D", input_schema: { type: "object", properties: { a: { type: "number" } } } }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      stop_sequences: ["END"],
      temperature: 0.5,
      metadata: { user_id: "u-1" },
      service_tier: "standard_only",
      stream: true,
      output_config: { effort: "high" },
    }),
  );
});

type MessageRow = readonly [title: string, given: readonly JsonObject[], messages: readonly JsonObject[], system?: string];

const MESSAGES: readonly MessageRow[] = [
  [
    "system and developer messages are joined, wherever they stand",
    [{ role: "system", content: "A" }, HELLO, { role: "developer", content: [text("B"), text("C")] }],
    [HELLO],
    "A\n\nB\n\nC",
  ],
  ["blank instructions say nothing", [{ role: "system", content: " \n" }, HELLO], [HELLO]],
  [
    "instructions alone are what the user says",
    [
      { role: "system", content: "A" },
      { role: "system", content: "B" },
    ],
    [{ role: "user", content: "A\n\nB" }],
  ],
  [
    "messages of one role in a row are one turn",
    [HELLO, { role: "user", content: "You?" }, { role: "assistant", content: "A" }, { role: "assistant", content: "B" }, HELLO],
    [{ role: "user", content: [text("Hello"), text("You?")] }, { role: "assistant", content: [text("A"), text("B")] }, HELLO],
  ],
  [
    "blank messages and parts are left out",
    [
      { role: "user", content: "" },
      { role: "assistant", content: " " },
      { role: "user", content: [text(""), text("Hello")] },
    ],
    [HELLO],
  ],
  ["an assistant may come first", [{ role: "assistant", content: "Welcome" }, HELLO], [{ role: "assistant", content: "Welcome" }, HELLO]],
  [
    "what is to be gone on from ends without blanks",
    [HELLO, { role: "assistant", content: "The answer is \n" }],
    [HELLO, { role: "assistant", content: "The answer is" }],
  ],
  [
    "refusals are text",
    [
      HELLO,
      { role: "assistant", content: null, refusal: "No." },
      { role: "user", content: "Why?" },
      { role: "assistant", content: [text("A"), { type: "refusal", refusal: "B" }] },
      HELLO,
    ],
    [
      HELLO,
      { role: "assistant", content: "No." },
      { role: "user", content: "Why?" },
      { role: "assistant", content: [text("A"), text("B")] },
      HELLO,
    ],
  ],
  [
    "several calls, and their results in one turn, in any order",
    [HELLO, { role: "assistant", content: "", tool_calls: [call("a"), call("b", "g")] }, result("b", "2"), result("a")],
    [HELLO, { role: "assistant", content: [use("a"), use("b", "g")] }, { role: "user", content: [answered("b", "2"), answered("a")] }],
  ],
  [
    "a result of parts, with an image",
    [
      HELLO,
      { role: "assistant", tool_calls: [call("a")] },
      result("a", [text("x"), { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }]),
    ],
    [
      HELLO,
      { role: "assistant", content: [use("a")] },
      {
        role: "user",
        content: [answered("a", [text("x"), { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }])],
      },
    ],
  ],
  [
    "an empty result",
    [HELLO, { role: "assistant", tool_calls: [call("a")] }, result("a", "")],
    [HELLO, { role: "assistant", content: [use("a")] }, { role: "user", content: [{ type: "tool_result", tool_use_id: "a" }] }],
  ],
  [
    "arguments of nothing",
    [HELLO, { role: "assistant", tool_calls: [call("a", "f", "")] }, result("a")],
    [HELLO, { role: "assistant", content: [use("a")] }, { role: "user", content: [answered("a")] }],
  ],
  [
    "arguments that are no object stay to be seen",
    [HELLO, { role: "assistant", tool_calls: [call("a", "f", '{"x":'), call("b", "f", "[1]")] }, result("a"), result("b")],
    [
      HELLO,
      { role: "assistant", content: [use("a", "f", { unreadable_arguments: '{"x":' }), use("b", "f", { unreadable_arguments: "[1]" })] },
      { role: "user", content: [answered("a"), answered("b")] },
    ],
  ],
  [
    "a call of a custom tool",
    [HELLO, { role: "assistant", tool_calls: [{ id: "a", type: "custom", custom: { name: "f", input: "ls" } }] }, result("a")],
    [HELLO, { role: "assistant", content: [use("a", "f", { input: "ls" })] }, { role: "user", content: [answered("a")] }],
  ],
  [
    "a call without a type",
    [HELLO, { role: "assistant", tool_calls: [{ id: "a", function: { name: "f", arguments: "{}" }, index: 0 }] }, result("a")],
    [HELLO, { role: "assistant", content: [use("a")] }, { role: "user", content: [answered("a")] }],
  ],
  [
    "ids that the target refuses",
    [
      HELLO,
      { role: "assistant", tool_calls: [call("functions.f:0")] },
      result("functions.f:0"),
      { role: "assistant", tool_calls: [call("functions.f:0")] },
      result("functions.f:0"),
    ],
    [
      HELLO,
      { role: "assistant", content: [use("functions_f_0")] },
      { role: "user", content: [answered("functions_f_0")] },
      { role: "assistant", content: [use("functions_f_0_2")] },
      { role: "user", content: [answered("functions_f_0_2")] },
    ],
  ],
  [
    "instructions between a call and its result",
    [HELLO, { role: "assistant", tool_calls: [call("a")] }, { role: "system", content: "S" }, result("a")],
    [HELLO, { role: "assistant", content: [use("a")] }, { role: "user", content: [answered("a")] }],
    "S",
  ],
];

describe("messages", () => {
  test.each([...MESSAGES])("%s", (_title, messages, expected, system = "") => {
    const { body, dropped } = translated(asking({ messages }));
    expect(body.messages).toEqual([...expected]);
    expect(body.system ?? "").toBe(system);
    expect(dropped).toEqual([]);
  });

  test("system messages are left out where the settings say so, and nothing of them is named", () => {
    const messages = [{ role: "system", content: [{ ...text("A"), cache_control: {} }], name: "n" }, HELLO];
    const { body, dropped } = translated(asking({ messages }), { systemMessages: "drop" });
    expect(body).not.toHaveProperty("system");
    expect(dropped).toEqual([]);
  });

  test("instructions of the settings' own are joined too", () => {
    const messages = [{ role: "system", content: "A" }, HELLO];
    expect(translated(asking({ messages }), { systemMessages: "instructions" }).body.system).toBe("A");
  });
});

const PARTS: readonly (readonly [title: string, part: JsonObject, block: JsonObject])[] = [
  [
    "an image by its address",
    { type: "image_url", image_url: { url: "https://a/b.png", detail: "auto" } },
    { type: "image", source: { type: "url", url: "https://a/b.png" } },
  ],
  [
    "an image as data",
    { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
    { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
  ],
  [
    "an image whose type is misspelt",
    { type: "image_url", image_url: { url: `data:image/JPG;x=1;base64,${PNG}` } },
    { type: "image", source: { type: "base64", media_type: "image/jpeg", data: PNG } },
  ],
  [
    "a PDF",
    { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0x" } },
    { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0x" }, title: "a.pdf" },
  ],
  [
    "a PDF that does not say what it is",
    { type: "file", file: { file_data: "JVBERi0x" } },
    { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0x" } },
  ],
  [
    "a text file",
    { type: "file", file: { filename: "a.md", file_data: `data:text/markdown;base64,${Buffer.from("Grüße").toString("base64")}` } },
    { type: "document", source: { type: "text", media_type: "text/plain", data: "Grüße" }, title: "a.md" },
  ],
  [
    "an image as a file",
    { type: "file", file: { filename: "a.png", file_data: `data:image/png;base64,${PNG}` } },
    { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
  ],
];

test.each([...PARTS])("a part: %s", (_title, part, block) => {
  const { body, dropped } = translated(asking({ messages: [{ role: "user", content: [text("Look"), part] }] }));
  expect(body.messages).toEqual([{ role: "user", content: [text("Look"), block] }]);
  expect(dropped).toEqual([]);
});

const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const fn = (name: string, more: JsonObject = {}) => ({ type: "function", function: { name, ...more } });
const named = (name: string, type = "function") => ({ type, [type]: { name } });
const tool = (name: string, input_schema: JsonObject = { type: "object", properties: {} }) => ({ name, input_schema });

const TOOLS: readonly (readonly [title: string, given: JsonObject, expected: JsonObject])[] = [
  [
    "a function",
    { tools: [fn("f", { description: "D", parameters: SCHEMA, strict: false })] },
    { tools: [{ ...tool("f", SCHEMA), description: "D" }] },
  ],
  [
    "a function without parameters, and one whose schema has no type",
    { tools: [fn("f"), fn("g", { parameters: { properties: {} } })] },
    { tools: [tool("f"), tool("g")] },
  ],
  ["no tools", { tools: [], tool_choice: "auto", parallel_tool_calls: false }, {}],
  ["auto", { tools: [fn("f")], tool_choice: "auto" }, { tools: [tool("f")], tool_choice: { type: "auto" } }],
  ["none", { tools: [fn("f")], tool_choice: "none", parallel_tool_calls: false }, { tools: [tool("f")], tool_choice: { type: "none" } }],
  ["required", { tools: [fn("f")], tool_choice: "required" }, { tools: [tool("f")], tool_choice: { type: "any" } }],
  [
    "one by name",
    { tools: [fn("f"), fn("g")], tool_choice: named("g"), parallel_tool_calls: true },
    { tools: [tool("f"), tool("g")], tool_choice: { type: "tool", name: "g" } },
  ],
  [
    "one call at a time",
    { tools: [fn("f")], parallel_tool_calls: false },
    { tools: [tool("f")], tool_choice: { type: "auto", disable_parallel_tool_use: true } },
  ],
  [
    "some of them alone",
    { tools: [fn("f"), fn("g")], tool_choice: { type: "allowed_tools", allowed_tools: { mode: "required", tools: [named("g")] } } },
    { tools: [tool("g")], tool_choice: { type: "any" } },
  ],
  [
    "none of them",
    { tools: [fn("f")], tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [] } } },
    { tools: [tool("f")], tool_choice: { type: "none" } },
  ],
];

describe("tools", () => {
  test.each([...TOOLS])("%s", (_title, given, expected) => {
    const { body, dropped } = translated(asking(given));
    expect({ tools: body.tools, tool_choice: body.tool_choice }).toEqual({ tools: undefined, tool_choice: undefined, ...expected });
    expect(dropped).toEqual([]);
  });

  test("a custom tool is a function of one text, with its grammar in words", () => {
    const format = { type: "grammar", grammar: { definition: "start: X", syntax: "lark" } };
    const { body } = translated(
      asking({ tools: [{ type: "custom", custom: { name: "c", description: "D", format } }], tool_choice: named("c", "custom") }),
    );
    expect(body).toMatchObject({
      tools: [
        {
          name: "c",
          description: "D\n\nThe input must follow this grammar (lark):\nstart: X",
          input_schema: { type: "object", required: ["input"] },
        },
      ],
      tool_choice: { type: "tool", name: "c" },
    });
  });

  test("tools that were called are named where none are offered any more, and cannot be called", () => {
    const messages = [HELLO, { role: "assistant", tool_calls: [call("a"), call("b")] }, result("a"), result("b")];
    expect(translated(asking({ messages })).body).toMatchObject({ tools: [tool("f")], tool_choice: { type: "none" } });
  });

  test("a strict function loses its promise, which is named", () => {
    expect(translated(asking({ tools: [fn("f", { strict: true })] }))).toMatchObject({
      body: { tools: [tool("f")] },
      dropped: ["tools.function.strict"],
    });
  });
});

const CLOSED = { ...SCHEMA, additionalProperties: false };
const schema = (given: JsonObject, more: JsonObject = {}) => ({
  response_format: { type: "json_schema", json_schema: { name: "n", schema: given, ...more } },
});
const format = (given: JsonObject) => ({ output_config: { format: { type: "json_schema", schema: given } } });

type Row = readonly [title: string, given: JsonObject, expected: JsonObject, dropped?: readonly string[]];

const PARAMETERS: readonly Row[] = [
  ["the limit", { max_tokens: 7 }, { max_tokens: 7 }],
  ["the newer name of the limit counts", { max_tokens: 7, max_completion_tokens: 9 }, { max_tokens: 9 }],
  ["no limit: what any Claude since 4 writes", {}, { max_tokens: CLAUDE_LIMIT_TOKENS }],
  ["no limit, with null for it", { max_tokens: null, max_completion_tokens: null }, { max_tokens: CLAUDE_LIMIT_TOKENS }],
  ["no limit, an older Claude", { model: "claude-3-haiku-20240307" }, { max_tokens: OTHER_LIMIT_TOKENS }],
  ["no limit, a model of others", { model: "kimi-k2" }, { max_tokens: OTHER_LIMIT_TOKENS }],
  ["one stop sequence", { stop: "END" }, { stop_sequences: ["END"] }],
  ["stop sequences of blanks are refused there", { stop: ["\n", "END"] }, { stop_sequences: ["END"] }, ["stop"]],
  ["no stop sequence", { stop: [] }, {}],
  ["temperature 0", { temperature: 0 }, { temperature: 0 }],
  ["a temperature beyond the target's scale", { temperature: 1.7 }, { temperature: 1 }, ["temperature"]],
  ["top_p", { top_p: 0.5 }, { top_p: 0.5 }],
  ["of temperature and top_p newer models take one", { temperature: 0.5, top_p: 0.9 }, { temperature: 0.5 }, ["top_p"]],
  ["a top_p of 1 asks for nothing", { temperature: 0.5, top_p: 1 }, { temperature: 0.5 }],
  ["older models take both", { model: "claude-3-5-sonnet-20241022", temperature: 0.5, top_p: 0.9 }, { temperature: 0.5, top_p: 0.9 }],
  ["the newest take neither", { model: "claude-opus-4-7", temperature: 0.5, top_p: 0.9 }, {}, ["temperature", "top_p"]],
  ["the newest, defaults", { model: "claude-sonnet-5", temperature: 1, top_p: 1 }, {}],
  ["effort", { model: "claude-opus-4-7", reasoning_effort: "low" }, { output_config: { effort: "low" } }],
  [
    "the least effort there is",
    { model: "claude-opus-4-7", reasoning_effort: "minimal" },
    { output_config: { effort: "low" } },
    ["reasoning_effort"],
  ],
  ["effort above high", { model: "claude-opus-4-7", reasoning_effort: "xhigh" }, { output_config: { effort: "xhigh" } }],
  [
    "effort above what the model has",
    { model: "claude-opus-4-5", reasoning_effort: "xhigh" },
    { output_config: { effort: "high" } },
    ["reasoning_effort"],
  ],
  ["the most effort", { model: "claude-sonnet-4-6", reasoning_effort: "max" }, { output_config: { effort: "max" } }],
  ["effort before a model without", { model: "claude-haiku-4-5", reasoning_effort: "low" }, {}, ["reasoning_effort"]],
  ["no effort", { model: "claude-opus-4-7", reasoning_effort: "none" }, {}, ["reasoning_effort"]],
  ["text as format", { response_format: { type: "text" } }, {}],
  ["a schema", schema(CLOSED, { strict: true }), format(CLOSED)],
  ["a schema and its description", schema(CLOSED, { description: "D" }), format({ ...CLOSED, description: "D" })],
  [
    "a schema and effort",
    { model: "claude-opus-4-6", reasoning_effort: "low", ...schema(CLOSED) },
    { output_config: { effort: "low", format: { type: "json_schema", schema: CLOSED } } },
  ],
  ["the user", { user: "u" }, { metadata: { user_id: "u" } }],
  ["the newer name of the user counts", { safety_identifier: "s", user: "u" }, { metadata: { user_id: "s" } }],
  ["an empty user", { user: "" }, {}],
  ["users that the target refuses", { user: "me@example.com" }, {}, ["user"]],
  ["a telephone number", { safety_identifier: "+41 44 668 18 00" }, {}, ["safety_identifier"]],
  ["a number is no telephone number", { user: "12345678" }, { metadata: { user_id: "12345678" } }],
  ["a user of great length", { user: "u".repeat(300) }, {}, ["user"]],
  ["the service's choice of tier", { service_tier: "auto" }, {}],
  ["the usual tier", { service_tier: "default" }, { service_tier: "standard_only" }],
  ["tiers of OpenAI's own", { service_tier: "flex" }, {}, ["service_tier"]],
  ["a stream", { stream: true, stream_options: { include_usage: true, include_obfuscation: false } }, { stream: true }],
  [
    "options of a stream that mean nothing there",
    { stream: true, stream_options: { include_obfuscation: true, x: 1 } },
    { stream: true },
    ["stream_options.include_obfuscation", "stream_options.x"],
  ],
  [
    "what asks for nothing",
    {
      n: 1,
      store: false,
      logprobs: false,
      top_logprobs: 0,
      frequency_penalty: 0,
      presence_penalty: 0,
      logit_bias: {},
      metadata: {},
      verbosity: "medium",
      modalities: ["text"],
      seed: null,
    },
    {},
  ],
  [
    "what has no equivalent",
    {
      n: 2,
      seed: 1,
      logprobs: true,
      top_logprobs: 3,
      frequency_penalty: 1,
      presence_penalty: -1,
      logit_bias: { 1: 2 },
      metadata: { a: "b" },
      store: true,
      verbosity: "low",
      prediction: {},
      web_search_options: {},
      moderation: {},
      prompt_cache_key: "k",
      prompt_cache_retention: "24h",
      prompt_cache_options: {},
      top_k: 3,
    },
    {},
    [
      "n",
      "seed",
      "logprobs",
      "top_logprobs",
      "frequency_penalty",
      "presence_penalty",
      "logit_bias",
      "metadata",
      "store",
      "verbosity",
      "prediction",
      "web_search_options",
      "moderation",
      "prompt_cache_key",
      "prompt_cache_retention",
      "prompt_cache_options",
      "top_k",
    ],
  ],
];

test.each([...PARAMETERS])("parameters: %s", (_title, given, expected, dropped = []) => {
  const result = translated(asking(given));
  const { model: _model, messages: _messages, max_tokens, ...rest } = result.body;
  const { max_tokens: limit = max_tokens, ...others } = expected;
  expect({ max_tokens, ...rest }).toEqual({ max_tokens: limit, ...others });
  expect([...result.dropped].sort()).toEqual([...dropped].sort());
});

const BAD_SCHEMAS: readonly (readonly [string, JsonObject])[] = [
  ["an open object", SCHEMA],
  ["an open object inside", { ...CLOSED, properties: { a: { type: "array", items: { type: "object", properties: {} } } } }],
  ["limits of numbers", { ...CLOSED, properties: { a: { type: "number", minimum: 0 } } }],
  ["limits of lists", { ...CLOSED, properties: { a: { type: "array", items: { type: "string" }, minItems: 2 } } }],
  ["a format that is not known", { ...CLOSED, properties: { a: { type: "string", format: "iri" } } }],
  ["a schema of anything", { ...CLOSED, properties: { a: {} } }],
  [
    "a schema that holds itself",
    { ...CLOSED, properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { type: "array", items: { $ref: "#/$defs/a" } } } },
  ],
  ["its own root", { ...CLOSED, properties: { a: { $ref: "#" } } }],
  [
    "references that lead far",
    {
      ...CLOSED,
      properties: { a: { $ref: "#/$defs/0" } },
      $defs: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`${index}`, { $ref: `#/$defs/${index + 1}` }])),
    },
  ],
];

describe("an answer in JSON that the target cannot promise is asked for in words, and named", () => {
  test.each([...BAD_SCHEMAS])("%s", (_title, given) => {
    const { body, dropped } = translated(asking({ messages: [{ role: "system", content: "S" }, HELLO], ...schema(given) }));
    expect(body.system).toBe(
      `S\n\nAnswer with JSON alone, without any text or marks around it, that fits this JSON schema:\n${JSON.stringify(given)}`,
    );
    expect(body).not.toHaveProperty("output_config");
    expect(dropped).toEqual(["response_format"]);
  });

  test.each(["claude-sonnet-4-20250514", "claude-3-7-sonnet-latest", "glm-4.6"])("a schema before %s", (model) => {
    const { body, dropped } = translated(asking({ model, ...schema(CLOSED) }), { systemMessages: "drop" });
    expect(body.system).toContain("JSON schema");
    expect(dropped).toEqual(["response_format"]);
  });

  test("any object", () => {
    const { body, dropped } = translated(asking({ response_format: { type: "json_object" } }));
    expect(body.system).toBe("Answer with a JSON object alone, without any text or marks around it.");
    expect(dropped).toEqual(["response_format"]);
  });

  test("one definition may be used twice", () => {
    const a = { $ref: "#/$defs/a" };
    const given = {
      ...CLOSED,
      properties: { a, b: { type: ["array", "null"], items: a, minItems: 1 }, c: { anyOf: [a, { const: 1 }] } },
      $defs: { a: { enum: ["x"] } },
    };
    expect(translated(asking(schema(given)))).toMatchObject({ body: format(given), dropped: [] });
  });
});

const NAMES: readonly (readonly [string, JsonObject, string])[] = [
  ["names of who speaks", { messages: [{ ...HELLO, name: "Ann" }] }, "messages.name"],
  [
    "an assistant's reasoning",
    { messages: [HELLO, { role: "assistant", content: "A", reasoning_content: "hm" }, HELLO] },
    "messages.reasoning_content",
  ],
  [
    "hints for a cache",
    { messages: [{ role: "user", content: [{ ...text("A"), cache_control: { type: "ephemeral" } }] }] },
    "messages.content.cache_control",
  ],
  [
    "how closely to look",
    { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://a", detail: "low" } }] }] },
    "messages.content.image_url.detail",
  ],
  ["what is unheard of in a tool", { tools: [{ ...fn("f"), x: 1 }] }, "tools.x"],
];

test.each([...NAMES])("left out and named: %s", (_title, given, name) => {
  expect(translated(asking(given)).dropped).toEqual([name]);
});

test.each(["anthropic/claude-opus-4.7", "us.anthropic.claude-opus-4-7-v1:0", "claude-opus-5", "claude-fable-5", "claude-opus-4-10"])(
  "%s takes no temperature",
  (model) => {
    expect(translated(asking({ model, temperature: 0 })).dropped).toEqual(["temperature"]);
  },
);

test.each([
  "claude-sonnet-4@20250514",
  "claude-sonnet-4-20250514",
  "claude-opus-4-1-20250805",
  "claude-sonnet-4-6",
  "claude-instant-1.2",
  "",
])("%s takes a temperature", (model) => {
  expect(translated(asking({ model, temperature: 0 }))).toMatchObject({ body: { temperature: 0 }, dropped: [] });
});

test("a client that names no model is left to the settings and the target", () => {
  expect(translated({ messages: [HELLO] }).body).toEqual({ max_tokens: OTHER_LIMIT_TOKENS, messages: [HELLO] });
});
