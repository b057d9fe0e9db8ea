import { describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ChatCompletionCreateParams, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { ResponseCreateParams, ResponseInput } from "openai/resources/responses/responses";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { OPTIONS, translated } from "./support.ts";

const IMAGE = "data:image/png;base64,AAAA";

const call = (call_id: string, name = "f") => ({ type: "function_call", call_id, name, arguments: "{}" }) as const;
const result = (call_id: string, output = `out ${call_id}`) => ({ type: "function_call_output", call_id, output }) as const;
const chatCall = (id: string, name = "f") => ({ id, type: "function", function: { name, arguments: "{}" } }) as const;
const tool = (tool_call_id: string, content = `out ${tool_call_id}`) => ({ role: "tool", tool_call_id, content }) as const;
const user = (content: string) => ({ role: "user", content }) as const;

describe("the input becomes messages", () => {
  const rows: readonly (readonly [name: string, input: string | ResponseInput, messages: readonly ChatCompletionMessageParam[]])[] = [
    ["a text", "Hi", [user("Hi")]],
    ["a message without a type", [{ role: "user", content: "Hi" }], [user("Hi")]],
    ["a text part", [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }], [user("Hi")]],
    [
      "text parts, a line each",
      [
        {
          role: "user",
          content: [
            { type: "input_text", text: "one" },
            { type: "input_text", text: "two" },
          ],
        },
      ],
      [user("one\ntwo")],
    ],
    [
      "images and files",
      [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is it?" },
            { type: "input_image", image_url: IMAGE, detail: "high" },
            { type: "input_image", image_url: IMAGE, detail: "auto" },
            { type: "input_file", file_data: "data:application/pdf;base64,AAAA", filename: "a.pdf" },
            { type: "input_file", file_id: "file-1" },
          ],
        },
      ],
      [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url: IMAGE, detail: "high" } },
            { type: "image_url", image_url: { url: IMAGE } },
            { type: "file", file: { file_data: "data:application/pdf;base64,AAAA", filename: "a.pdf" } },
            { type: "file", file: { file_id: "file-1" } },
          ],
        },
      ],
    ],
    [
      "what the assistant said, and refused",
      [
        { role: "user", content: "Hi" },
        {
          id: "msg_1",
          type: "message",
          role: "assistant",
          status: "completed",
          content: [
            { type: "output_text", text: "one, ", annotations: [] },
            { type: "output_text", text: "two", annotations: [] },
            { type: "refusal", refusal: "No." },
          ],
        },
        { role: "assistant", content: "three" },
        { role: "assistant", content: "" },
      ],
      [user("Hi"), { role: "assistant", content: "one, two", refusal: "No." }, { role: "assistant", content: "three" }],
    ],
    [
      "system and developer messages, where they stood",
      [
        { role: "developer", content: "one" },
        { role: "user", content: "Hi" },
        { role: "system", content: [{ type: "input_text", text: "two" }] },
      ],
      [{ role: "system", content: "one" }, user("Hi"), { role: "system", content: "two" }],
    ],
    [
      "a call and its output",
      [{ role: "user", content: "Hi" }, call("a"), result("a")],
      [user("Hi"), { role: "assistant", content: null, tool_calls: [chatCall("a")] }, tool("a")],
    ],
    [
      "calls side by side, with the text before them",
      [{ role: "assistant", content: "Wait." }, call("a"), call("b"), result("a"), result("b")],
      [{ role: "assistant", content: "Wait.", tool_calls: [chatCall("a"), chatCall("b")] }, tool("a"), tool("b")],
    ],
    [
      "calls of two turns",
      [call("a"), result("a"), call("b"), result("b")],
      [
        { role: "assistant", content: null, tool_calls: [chatCall("a")] },
        tool("a"),
        { role: "assistant", content: null, tool_calls: [chatCall("b")] },
        tool("b"),
      ],
    ],
    [
      "a call that came among the outputs of others",
      [call("a"), call("b"), result("a"), call("c"), result("b"), result("c")],
      [{ role: "assistant", content: null, tool_calls: [chatCall("a"), chatCall("b"), chatCall("c")] }, tool("a"), tool("b"), tool("c")],
    ],
    [
      "what the assistant said between a call and its output",
      [call("a"), { role: "assistant", content: "Wait." }, result("a"), { role: "assistant", content: "Done." }],
      [{ role: "assistant", content: "Wait.", tool_calls: [chatCall("a")] }, tool("a"), { role: "assistant", content: "Done." }],
    ],
    [
      "what the user said between a call and its output",
      [call("a"), call("b"), { role: "user", content: "Stop!" }, result("a"), result("b"), { role: "user", content: "Well?" }],
      [
        { role: "assistant", content: null, tool_calls: [chatCall("a"), chatCall("b")] },
        tool("a"),
        tool("b"),
        user("Stop!"),
        user("Well?"),
      ],
    ],
    [
      "reasoning between calls does not part them",
      [
        { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "AAAA" },
        call("a"),
        { type: "reasoning", id: "rs_2", summary: [] },
        call("b"),
        result("b"),
        result("a"),
      ],
      [{ role: "assistant", content: null, tool_calls: [chatCall("a"), chatCall("b")] }, tool("b"), tool("a")],
    ],
    [
      "outputs in parts; images follow as the user's",
      [
        call("a"),
        call("b"),
        {
          type: "function_call_output",
          call_id: "a",
          output: [
            { type: "input_text", text: "one" },
            { type: "input_text", text: "two" },
          ],
        },
        { type: "function_call_output", call_id: "b", output: [{ type: "input_image", image_url: IMAGE }] },
      ],
      [
        { role: "assistant", content: null, tool_calls: [chatCall("a"), chatCall("b")] },
        tool("a", "one\ntwo"),
        tool("b", "(The output is in the next message.)"),
        { role: "user", content: [{ type: "image_url", image_url: { url: IMAGE } }] },
      ],
    ],
    [
      "an image waits until the calls beside it are answered",
      [
        call("a"),
        call("b"),
        { type: "function_call_output", call_id: "a", output: [{ type: "input_image", image_url: IMAGE }] },
        result("b"),
      ],
      [
        { role: "assistant", content: null, tool_calls: [chatCall("a"), chatCall("b")] },
        tool("a", "(The output is in the next message.)"),
        tool("b"),
        { role: "user", content: [{ type: "image_url", image_url: { url: IMAGE } }] },
      ],
    ],
    [
      "a custom tool's call",
      [
        { type: "custom_tool_call", call_id: "a", name: "apply_patch", input: "*** Begin Patch" },
        { type: "custom_tool_call_output", call_id: "a", output: "Done" },
      ],
      [
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "a", type: "custom", custom: { name: "apply_patch", input: "*** Begin Patch" } }],
        },
        tool("a", "Done"),
      ],
    ],
    [
      "a local shell's call and its output are left out together",
      [
        { role: "user", content: "Hi" },
        {
          type: "local_shell_call",
          id: "lsh_1",
          call_id: "a",
          status: "completed",
          action: { type: "exec", command: ["ls"], env: {} },
        },
        result("a"),
      ],
      [user("Hi")],
    ],
  ];
  test.each(rows)("%s", (_name, input, messages) => {
    expect(translated({ model: "m", input }).body.messages).toEqual(messages as never);
  });
});

describe("instructions and system messages", () => {
  const request: ResponseCreateParams = {
    instructions: "Be kind.",
    input: [
      { role: "developer", content: "Be short." },
      { role: "user", content: "Hi" },
      { role: "system", content: "Be good." },
    ],
  };
  const system = (content: string) => ({ role: "system", content });
  const rows = [
    ["input", [system("Be kind."), system("Be short."), user("Hi"), system("Be good.")]],
    ["instructions", [system("Be kind.\n\nBe short.\n\nBe good."), user("Hi")]],
    ["drop", [user("Hi")]],
  ] as const;
  test.each(rows)("systemMessages = %s", (systemMessages, messages) => {
    const { body, dropped } = translated(request, { systemMessages });
    expect(body.messages).toEqual(messages as never);
    // The settings ask for it.
    expect(dropped).toEqual([]);
  });
  test("without any of them there is no system message", () => {
    expect(translated({ input: "Hi", instructions: "" }, { systemMessages: "instructions" }).body).toEqual({ messages: [user("Hi")] });
  });
});

describe("parameters", () => {
  const schema = { type: "object", properties: {} };
  type Row = readonly [name: string, given: ResponseCreateParams, kept: Partial<ChatCompletionCreateParams>, dropped?: readonly string[]];
  const rows: readonly Row[] = [
    ["the model", { model: "m" }, { model: "m" }],
    ["a stream, with the usage", { stream: true }, { stream: true, stream_options: { include_usage: true } }],
    ["no stream", { stream: false }, { stream: false }],
    [
      "those of the same name",
      {
        temperature: 0,
        top_p: 0.5,
        metadata: { a: "b" },
        user: "u",
        service_tier: "flex",
        prompt_cache_key: "k",
        prompt_cache_retention: "24h",
        safety_identifier: "s",
        store: true,
      },
      {
        temperature: 0,
        top_p: 0.5,
        metadata: { a: "b" },
        user: "u",
        service_tier: "flex",
        prompt_cache_key: "k",
        prompt_cache_retention: "24h",
        safety_identifier: "s",
        store: true,
      },
    ],
    ["the longest answer", { max_output_tokens: 100 }, { max_tokens: 100 }],
    [
      "effort; what is shown of reasoning has no place",
      { reasoning: { effort: "low", summary: "auto" } },
      { reasoning_effort: "low" },
      ["reasoning.summary"],
    ],
    ["verbosity", { text: { verbosity: "low" } }, { verbosity: "low" }],
    ["a plain text as format", { text: { format: { type: "text" } } }, {}],
    ["JSON", { text: { format: { type: "json_object" } } }, { response_format: { type: "json_object" } }],
    [
      "JSON of a schema",
      { text: { format: { type: "json_schema", name: "n", schema, strict: true, description: "d" } } },
      { response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true, description: "d" } } },
    ],
    ["probabilities", { top_logprobs: 3 }, { logprobs: true, top_logprobs: 3 }],
    ["probabilities that are included", { include: ["message.output_text.logprobs"] }, { logprobs: true }],
    ["what else is to be included", { include: ["reasoning.encrypted_content"] }, {}, ["include"]],
    [
      "what has no place",
      { truncation: "auto", max_tool_calls: 3, context_management: [{ type: "compaction" }] },
      {},
      ["truncation", "max_tool_calls", "context_management"],
    ],
    [
      "what asks for nothing",
      {
        truncation: "disabled",
        include: [],
        tools: [],
        metadata: {},
        temperature: null,
        background: false,
        previous_response_id: null,
        store: false,
        service_tier: "auto",
        max_tool_calls: null,
        parallel_tool_calls: true,
        tool_choice: "auto",
        stream_options: { include_obfuscation: false },
        reasoning: { effort: null, summary: null },
      },
      {},
    ],
  ];
  test.each(rows.map(([name, given, kept, dropped = []]) => ({ name, given, kept, dropped })))("$name", ({ given, kept, dropped }) => {
    const result = translated({ input: "Hi", ...given });
    const { messages: _messages, ...rest } = result.body;
    expect(rest).toEqual(kept as never);
    expect(result.dropped).toEqual(dropped as never);
  });

  test("unknown ones are named, and no text of the client's own gets into the names", () => {
    const result = responsesToChat.request({ input: "Hi", client_metadata: { a: 1 }, "a\r\nb: c": 1, "": 2 }, OPTIONS);
    expect(result).toMatchObject({ dropped: ["client_metadata", "other"] });
  });
});

describe("tools", () => {
  const parameters = { type: "object", properties: { a: { type: "string" } } };
  const f = { type: "function", name: "f", description: "d", parameters, strict: true } as const;
  const patch = {
    type: "custom",
    name: "apply_patch",
    description: "Patch.",
    format: { type: "grammar", syntax: "lark", definition: "start: /.+/" },
  } as const;
  const plain = { type: "custom", name: "note", format: { type: "text" } } as const;
  const search = { type: "web_search" } as const;
  const chatF = { type: "function", function: { name: "f", description: "d", parameters, strict: true } } as const;
  const chatPatch = {
    type: "custom",
    custom: {
      name: "apply_patch",
      description: "Patch.",
      format: { type: "grammar", grammar: { syntax: "lark", definition: "start: /.+/" } },
    },
  } as const;
  type Row = readonly [name: string, given: ResponseCreateParams, kept: Partial<ChatCompletionCreateParams>, dropped?: readonly string[]];
  const rows: readonly Row[] = [
    ["functions", { tools: [f] }, { tools: [chatF] }],
    [
      "a function with nothing but a name",
      { tools: [{ ...f, description: null, parameters: null, strict: null }] },
      { tools: [{ type: "function", function: { name: "f" } }] },
    ],
    [
      "custom tools",
      { tools: [patch, plain] },
      { tools: [chatPatch, { type: "custom", custom: { name: "note", format: { type: "text" } } }] },
    ],
    [
      "those that the service runs are left out",
      { tools: [f, search, { type: "local_shell" }] },
      { tools: [chatF] },
      ["tools.web_search", "tools.local_shell"],
    ],
    ["nothing else is offered", { tools: [search], tool_choice: "auto", parallel_tool_calls: true }, {}, ["tools.web_search"]],
    [
      "what functions cannot say",
      { tools: [{ ...f, async: true, output_schema: { type: "object" }, defer_loading: true }] },
      { tools: [chatF] },
      ["tools.async", "tools.output_schema"],
    ],
    ["calls side by side", { tools: [f], parallel_tool_calls: false }, { tools: [chatF], parallel_tool_calls: false }],
    ["a choice by word", { tools: [f], tool_choice: "required" }, { tools: [chatF], tool_choice: "required" }],
    [
      "a function",
      { tools: [f], tool_choice: { type: "function", name: "f" } },
      { tools: [chatF], tool_choice: { type: "function", function: { name: "f" } } },
    ],
    [
      "a custom tool",
      { tools: [patch], tool_choice: { type: "custom", name: "apply_patch" } },
      { tools: [chatPatch], tool_choice: { type: "custom", custom: { name: "apply_patch" } } },
    ],
    [
      "some of the tools",
      {
        tools: [f, patch, search],
        tool_choice: {
          type: "allowed_tools",
          mode: "required",
          tools: [{ type: "function", name: "f" }, { type: "custom", name: "apply_patch" }, { type: "web_search" }],
        },
      },
      {
        tools: [chatF, chatPatch],
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: {
            mode: "required",
            tools: [
              { type: "function", function: { name: "f" } },
              { type: "custom", custom: { name: "apply_patch" } },
            ],
          },
        },
      },
      ["tools.web_search"],
    ],
    [
      "none of those that are left",
      { tools: [f, search], tool_choice: { type: "allowed_tools", mode: "auto", tools: [{ type: "web_search" }] } },
      { tools: [chatF], tool_choice: "none" },
      ["tools.web_search"],
    ],
  ];
  test.each(rows.map(([name, given, kept, dropped = []]) => ({ name, given, kept, dropped })))("$name", ({ given, kept, dropped }) => {
    const result = translated({ input: "Hi", ...given });
    const { messages: _messages, ...rest } = result.body;
    expect(rest).toEqual(kept as never);
    expect(result.dropped).toEqual(dropped as never);
  });

  test("custom tools as functions, for targets that know nothing else", () => {
    const { body } = translated(
      {
        tools: [patch, plain],
        tool_choice: { type: "custom", name: "apply_patch" },
        input: [
          { type: "custom_tool_call", call_id: "a", name: "apply_patch", input: 'say "hi"' },
          { type: "custom_tool_call_output", call_id: "a", output: "Done" },
        ],
      },
      { ...OPTIONS, customTools: "function" },
    );
    const input = {
      type: "object",
      properties: { input: { type: "string", description: "The whole input of the tool, as plain text." } },
      required: ["input"],
      additionalProperties: false,
    };
    const expected: ChatCompletionCreateParams = {
      model: "m",
      messages: [
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "a", type: "function", function: { name: "apply_patch", arguments: '{"input":"say \\"hi\\""}' } }],
        },
        tool("a", "Done"),
      ],
      tools: [
        {
          type: "function",
          function: {
            name: "apply_patch",
            description: "Patch.\n\nThe input must follow this grammar (lark):\nstart: /.+/",
            parameters: input,
          },
        },
        { type: "function", function: { name: "note", parameters: input } },
      ],
      tool_choice: { type: "function", function: { name: "apply_patch" } },
    };
    expect({ model: "m", ...body }).toEqual(expected as never);
  });
});

describe("tools in namespaces and in items, as Codex sends them", () => {
  const inner = (name: string) => ({ type: "function", name, parameters: {}, strict: false }) as const;
  const request: ResponseCreateParams = {
    model: "m",
    input: [
      {
        type: "additional_tools",
        role: "developer",
        tools: [
          { type: "namespace", name: "functions", description: "", tools: [inner("wait"), { type: "custom", name: "exec" }] },
          { type: "namespace", name: "mcp__docs", description: "", tools: [inner("search")] },
          { type: "namespace", name: "mcp__old__", description: "", tools: [inner("search")] },
          { type: "web_search" },
        ],
      },
      { role: "user", content: "Hi" },
      { type: "function_call", call_id: "a", name: "search", namespace: "mcp__docs", arguments: "{}" },
      { type: "function_call_output", call_id: "a", output: "found" },
      { type: "custom_tool_call", call_id: "b", name: "exec", namespace: "functions", input: "1+1" },
      { type: "custom_tool_call_output", call_id: "b", output: "2" },
      { type: "function_call", call_id: "c", name: "gone", namespace: "mcp__gone", arguments: "{}" },
      { type: "function_call_output", call_id: "c", output: "x" },
    ],
  };
  const { body, dropped } = translated(request);
  const named = (entries: unknown) =>
    (entries as readonly Record<string, { name: string }>[]).map((one) => (one.function ?? one.custom)?.name);

  test("are offered one by one under joined names", () => {
    expect(named(body.tools)).toEqual(["wait", "exec", "mcp__docs__search", "mcp__old__search"]);
    expect(dropped).toEqual(["tools.web_search"]);
  });
  test("keep those names in the conversation", () => {
    const messages = body.messages as readonly { readonly tool_calls?: unknown }[];
    expect(messages.flatMap(({ tool_calls }) => (tool_calls === undefined ? [] : named(tool_calls)))).toEqual([
      "mcp__docs__search",
      "exec",
      "mcp__gone__gone",
    ]);
  });
  test("get names of their own where two would have the same", () => {
    const { body } = translated({
      input: "Hi",
      tools: [inner("a__b"), { type: "namespace", name: "a", description: "", tools: [inner("b")] }],
      tool_choice: "auto",
    });
    expect(named(body.tools)).toEqual(["a__b", "a__b_"]);
  });
  test("the same tool again is the same tool", () => {
    expect(named(translated({ input: "Hi", tools: [inner("a"), inner("a")] }).body.tools)).toEqual(["a"]);
  });
});

test("items without a place are named, each kind once", () => {
  const { dropped } = translated({
    input: [
      { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Hm." }] },
      { type: "reasoning", id: "rs_2", summary: [] },
      { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "q" } },
      { role: "assistant", content: "Hi", phase: "commentary" },
    ],
  });
  expect(dropped).toEqual(["input.reasoning", "input.web_search_call", "input.phase"]);
});

test("the request goes through the official client of Chat Completions as it is", async () => {
  const { body } = translated({ model: "m", input: "Hi", stream: true, tools: [{ type: "custom", name: "note" }], max_output_tokens: 5 });
  let sent: unknown;
  const client = new OpenAI({
    apiKey: "sk-test",
    fetch: async (_url, init) => {
      sent = JSON.parse(String(init?.body));
      return new Response("data: [DONE]\n\n", { headers: { "content-type": "text/event-stream" } });
    },
  });
  await client.chat.completions.create(body as never);
  expect(sent).toEqual(body);
});

test("the headers stay as they are, and errors have OpenAI's shape", () => {
  const headers = [["Authorization", "Bearer x"]] as const;
  expect(responsesToChat.headers(headers)).toBe(headers);
  expect(responsesToChat.error(429, { message: "Slow down.", type: undefined, code: null, param: null })).toEqual({
    error: { message: "Slow down.", type: "rate_limit_error", param: null, code: null },
  });
});
