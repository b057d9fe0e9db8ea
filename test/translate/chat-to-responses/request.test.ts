import { expect, test } from "bun:test";
import type { OpenAI } from "openai";
import { isObject, type JsonObject } from "../../../src/dialects/shared.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import { asking, HELLO, translated } from "./helpers.ts";

type ChatRequest = OpenAI.Chat.ChatCompletionCreateParams;
type ResponsesRequest = OpenAI.Responses.ResponseCreateParams;

const item = (role: string, ...content: JsonObject[]) => ({ type: "message", role, content });
const said = (text: string) => ({ type: "input_text", text });
const answered = (text: string) => ({ type: "output_text", text, annotations: [] });

test("a request becomes one of the Responses API", () => {
  const chat = {
    model: "gpt-6-astra",
    stream: true,
    messages: [
      { role: "system", content: "Be short." },
      { role: "user", content: "How warm is it?" },
    ],
    tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" }, strict: true } }],
    temperature: 0,
    max_completion_tokens: 100,
    reasoning_effort: "low",
    response_format: { type: "json_object" },
  } satisfies ChatRequest;
  const responses = {
    model: "gpt-6-astra",
    stream: true,
    store: false,
    instructions: "Be short.",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "How warm is it?" }] }],
    tools: [{ type: "function", name: "weather", parameters: { type: "object" }, strict: true }],
    temperature: 0,
    max_output_tokens: 100,
    reasoning: { effort: "low" },
    text: { format: { type: "json_object" } },
  } satisfies ResponsesRequest;
  expect(translated(chat)).toEqual({ kind: "request", body: responses, dropped: [] });
});

test.each([
  ["drop", undefined, [item("user", said("Hello"))]],
  ["instructions", "First.\n\nSecond.\n\nThird.", [item("user", said("Hello"))]],
  ["input", undefined, [item("system", said("First."), said("Second.")), item("user", said("Hello")), item("developer", said("Third."))]],
] as const)("system messages with the setting %s", (systemMessages, instructions, input) => {
  const messages = [
    {
      role: "system",
      content: [
        { type: "text", text: "First." },
        { type: "text", text: "Second." },
      ],
    },
    HELLO,
    { role: "developer", content: "Third." },
  ];
  const { body, dropped } = translated({ messages }, { systemMessages });
  expect(body).toEqual({ input, ...(instructions !== undefined && { instructions }), store: false });
  expect(dropped).toEqual([]);
});

test("the input is a list even where nothing is left of it", () => {
  const content = [{ type: "text", text: "Alone.", cache_control: { type: "ephemeral" } }];
  const messages = [{ role: "system", content, name: "left out by the settings" }];
  expect(translated({ messages }, { systemMessages: "drop" })).toMatchObject({ body: { input: [] }, dropped: [] });
  expect(translated({ messages: [{ role: "system", content: "" }] }).body).toEqual({ input: [], store: false });
});

const CALL = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Brno"}' } };
const CUSTOM = { id: "call_2", type: "custom", custom: { name: "shell", input: "ls" } };
const CALL_ITEM = { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Brno"}' };
const CUSTOM_ITEM = { type: "custom_tool_call", call_id: "call_2", name: "shell", input: "ls" };
const mark = { mode: "explicit", ttl: "30m" };

/** Messages, the items that they become, and what is named as dropped. */
const MESSAGES: readonly (readonly [string, readonly JsonObject[], readonly JsonObject[], readonly string[]])[] = [
  ["a user's text", [HELLO], [item("user", said("Hello"))], []],
  ["an empty text", [{ role: "user", content: "" }], [item("user", said(""))], []],
  [
    "a user's text part with a cache mark",
    [{ role: "user", content: [{ type: "text", text: "Hi", prompt_cache_breakpoint: mark }] }],
    [item("user", { ...said("Hi"), prompt_cache_breakpoint: mark })],
    [],
  ],
  [
    "images, with and without a detail",
    [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "https://a/b.png" } },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==", detail: "low" } },
        ],
      },
    ],
    [
      item(
        "user",
        { type: "input_image", image_url: "https://a/b.png", detail: "auto" },
        { type: "input_image", image_url: "data:image/png;base64,AA==", detail: "low" },
      ),
    ],
    [],
  ],
  [
    "files, by id and by data",
    [
      {
        role: "user",
        content: [
          { type: "file", file: { file_id: "file-1" } },
          { type: "file", file: { file_data: "data:application/pdf;base64,AA==", filename: "a.pdf" } },
        ],
      },
    ],
    [
      item(
        "user",
        { type: "input_file", file_id: "file-1" },
        { type: "input_file", file_data: "data:application/pdf;base64,AA==", filename: "a.pdf" },
      ),
    ],
    [],
  ],
  ["an assistant's text", [{ role: "assistant", content: "Yes." }], [item("assistant", answered("Yes."))], []],
  [
    "an assistant's text and refusal parts",
    [
      {
        role: "assistant",
        content: [
          { type: "text", text: "Yes." },
          { type: "refusal", refusal: "No." },
        ],
      },
    ],
    [item("assistant", answered("Yes."), { type: "refusal", refusal: "No." })],
    [],
  ],
  [
    "an assistant's refusal",
    [{ role: "assistant", content: null, refusal: "No." }],
    [item("assistant", { type: "refusal", refusal: "No." })],
    [],
  ],
  ["calls alone", [{ role: "assistant", content: null, tool_calls: [CALL, CUSTOM] }], [CALL_ITEM, CUSTOM_ITEM], []],
  ["calls beside an empty text", [{ role: "assistant", content: "", tool_calls: [CALL] }], [CALL_ITEM], []],
  [
    "a text before its calls",
    [{ role: "assistant", content: "Let me see.", tool_calls: [CALL] }],
    [item("assistant", answered("Let me see.")), CALL_ITEM],
    [],
  ],
  [
    "a call without a type, put together from a stream",
    [{ role: "assistant", tool_calls: [{ index: 0, id: "call_1", function: CALL.function }] }],
    [CALL_ITEM],
    [],
  ],
  [
    "results of a function and of a custom tool",
    [
      { role: "assistant", tool_calls: [CALL, CUSTOM] },
      { role: "tool", tool_call_id: "call_2", content: "a.txt" },
      { role: "tool", tool_call_id: "call_1", content: "12 °C" },
    ],
    [
      CALL_ITEM,
      CUSTOM_ITEM,
      { type: "custom_tool_call_output", call_id: "call_2", output: "a.txt" },
      { type: "function_call_output", call_id: "call_1", output: "12 °C" },
    ],
    [],
  ],
  [
    "a result of several parts",
    [
      { role: "assistant", tool_calls: [CALL] },
      {
        role: "tool",
        tool_call_id: "call_1",
        content: [
          { type: "text", text: "12" },
          { type: "text", text: "°C" },
        ],
      },
    ],
    [CALL_ITEM, { type: "function_call_output", call_id: "call_1", output: [said("12"), said("°C")] }],
    [],
  ],
  [
    "what the input cannot carry is named once",
    [
      { ...HELLO, name: "Ada" },
      { role: "assistant", content: "Yes.", name: "Bob", reasoning_content: "Hm." },
      { role: "user", content: [{ type: "text", text: "Go on", cache_control: { type: "ephemeral" } }] },
    ],
    [item("user", said("Hello")), item("assistant", answered("Yes.")), item("user", said("Go on"))],
    ["messages.name", "messages.reasoning_content", "messages.content.cache_control"],
  ],
  [
    "fields of an answer that say nothing",
    [
      {
        role: "assistant",
        content: "Yes.",
        refusal: null,
        annotations: [],
        audio: null,
        function_call: null,
        tool_calls: null,
        name: null,
      },
    ],
    [item("assistant", answered("Yes."))],
    [],
  ],
];

test.each(MESSAGES)("messages: %s", (_title, messages, input, dropped) => {
  expect(translated({ messages })).toEqual({ kind: "request", body: { input, store: false }, dropped });
});

const SCHEMA = { type: "object", properties: { a: { type: "string" } } };
const functionTool = (more: JsonObject) => ({ tools: [{ type: "function", function: { name: "f", ...more } }] });
const functionOf = (more: JsonObject) => ({ tools: [{ type: "function", name: "f", ...more }] });

/** A parameter of the client, what becomes of it, and what is named as dropped. */
const PARAMETERS: readonly (readonly [JsonObject, JsonObject, readonly string[]])[] = [
  [{ temperature: 0 }, { temperature: 0 }, []],
  [{ top_p: 0.5 }, { top_p: 0.5 }, []],
  [{ parallel_tool_calls: false }, { parallel_tool_calls: false }, []],
  [{ metadata: { a: "b" } }, { metadata: { a: "b" } }, []],
  [{ user: "u" }, { user: "u" }, []],
  [{ service_tier: "flex" }, { service_tier: "flex" }, []],
  [{ prompt_cache_key: "k" }, { prompt_cache_key: "k" }, []],
  [{ prompt_cache_options: { mode: "explicit" } }, { prompt_cache_options: { mode: "explicit" } }, []],
  [{ prompt_cache_retention: "24h" }, { prompt_cache_retention: "24h" }, []],
  [{ safety_identifier: "s" }, { safety_identifier: "s" }, []],
  [{ logprobs: true, top_logprobs: 3 }, { include: ["message.output_text.logprobs"], top_logprobs: 3 }, []],
  [{ logprobs: false }, {}, []],
  [{ store: true }, { store: true }, []],
  [{ store: null }, { store: false }, []],
  [{ stream: false }, { stream: false }, []],
  [{ max_tokens: 5 }, { max_output_tokens: 5 }, []],
  [{ max_completion_tokens: 7, max_tokens: 5 }, { max_output_tokens: 7 }, []],
  [{ max_tokens: 5, max_completion_tokens: 7 }, { max_output_tokens: 7 }, []],
  [{ max_tokens: 5, max_completion_tokens: null }, { max_output_tokens: 5 }, []],
  [{ reasoning_effort: "high" }, { reasoning: { effort: "high" } }, []],
  [{ verbosity: "low" }, { text: { verbosity: "low" } }, []],
  [{ response_format: { type: "text" }, verbosity: "low" }, { text: { format: { type: "text" }, verbosity: "low" } }, []],
  [{ response_format: { type: "json_object" } }, { text: { format: { type: "json_object" } } }, []],
  [
    { response_format: { type: "json_schema", json_schema: { name: "n", schema: SCHEMA, strict: true, description: "d" } } },
    { text: { format: { type: "json_schema", name: "n", schema: SCHEMA, strict: true, description: "d" } } },
    [],
  ],
  [{ stream: true, stream_options: { include_usage: true } }, { stream: true }, []],
  [
    { stream: true, stream_options: { include_usage: true, include_obfuscation: false, more: 1 } },
    { stream: true, stream_options: { include_obfuscation: false } },
    ["stream_options.more"],
  ],
  [{ stream_options: { include_obfuscation: false } }, {}, []],
  [functionTool({ description: "d", parameters: SCHEMA }), functionOf({ description: "d", parameters: SCHEMA, strict: false }), []],
  [functionTool({ parameters: SCHEMA, strict: null }), functionOf({ parameters: SCHEMA, strict: false }), []],
  [functionTool({ parameters: SCHEMA, strict: true }), functionOf({ parameters: SCHEMA, strict: true }), []],
  [functionTool({}), functionOf({ parameters: { type: "object", properties: {} }, strict: false }), []],
  [
    functionTool({ parameters: SCHEMA, cache_control: { type: "ephemeral" } }),
    functionOf({ parameters: SCHEMA, strict: false }),
    ["tools.function.cache_control"],
  ],
  [
    { tools: [{ type: "custom", custom: { name: "c", description: "d", format: { type: "text" } } }] },
    { tools: [{ type: "custom", name: "c", description: "d", format: { type: "text" } }] },
    [],
  ],
  [
    { tools: [{ type: "custom", custom: { name: "c", format: { type: "grammar", grammar: { definition: "x", syntax: "lark" } } } }] },
    { tools: [{ type: "custom", name: "c", format: { type: "grammar", definition: "x", syntax: "lark" } }] },
    [],
  ],
  [{ tool_choice: "required" }, { tool_choice: "required" }, []],
  [{ tool_choice: { type: "function", function: { name: "f" } } }, { tool_choice: { type: "function", name: "f" } }, []],
  [{ tool_choice: { type: "custom", custom: { name: "c" } } }, { tool_choice: { type: "custom", name: "c" } }, []],
  [
    {
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: {
          mode: "auto",
          tools: [
            { type: "function", function: { name: "f" } },
            { type: "custom", custom: { name: "c" } },
          ],
        },
      },
    },
    {
      tool_choice: {
        type: "allowed_tools",
        mode: "auto",
        tools: [
          { type: "function", name: "f" },
          { type: "custom", name: "c" },
        ],
      },
    },
    [],
  ],
  // What has no equivalent is named, unless it asks for nothing.
  [{ stop: "END" }, {}, ["stop"]],
  [{ stop: ["END"] }, {}, ["stop"]],
  [{ stop: [] }, {}, []],
  [{ n: 2 }, {}, ["n"]],
  [{ n: 1 }, {}, []],
  [{ seed: 0 }, {}, ["seed"]],
  [{ frequency_penalty: -1 }, {}, ["frequency_penalty"]],
  [{ frequency_penalty: 0, presence_penalty: 0 }, {}, []],
  [{ presence_penalty: 0.5 }, {}, ["presence_penalty"]],
  [{ logit_bias: { 50256: -100 } }, {}, ["logit_bias"]],
  [{ logit_bias: {} }, {}, []],
  [{ prediction: { type: "content", content: "x" } }, {}, ["prediction"]],
  [{ web_search_options: {} }, {}, ["web_search_options"]],
  [{ moderation: { model: "m" } }, {}, ["moderation"]],
  [{ modalities: ["text"] }, {}, []],
  [{ thinking: { type: "enabled" }, seed: 1, top_k: 5 }, {}, ["thinking", "seed", "top_k"]],
  [{ functions: null, function_call: null, audio: null, stop: null, n: null, tools: null, tool_choice: null, temperature: null }, {}, []],
  [{ unknown: null }, {}, []],
];

test.each(PARAMETERS)("parameters: %j", (parameters, becomes, dropped) => {
  const { body, dropped: names } = translated(asking(parameters));
  expect(body).toEqual({ model: "m", input: [item("user", said("Hello"))], store: false, ...becomes });
  expect(names).toEqual(dropped);
});

test("a parameter called __proto__ is one like any other", () => {
  const json: unknown = JSON.parse('{"messages":[{"role":"user","content":"Hi","__proto__":{"a":1}}],"__proto__":{"store":true}}');
  if (!isObject(json)) throw new Error("no object");
  expect(translated(json)).toMatchObject({ body: { store: false }, dropped: ["messages.__proto__", "__proto__"] });
});

test("image and file data may be longer than a text", () => {
  const data = `data:image/png;base64,${"A".repeat(9 * 1024 * 1024)}`;
  const content = [
    { type: "image_url", image_url: { url: data } },
    { type: "file", file: { file_data: data } },
  ];
  expect(translated({ messages: [{ role: "user", content }] }).kind).toBe("request");
});

test("header fields go on as they came", () => {
  const headers = [
    ["Authorization", "Bearer k"],
    ["X-Other", "1"],
  ] as const;
  expect(chatToResponses.headers(headers)).toEqual(headers);
});
