import { describe, expect, test } from "bun:test";
import type { BetaContentBlockParam, MessageCreateParamsBase } from "@anthropic-ai/sdk/resources/beta/messages/messages";
import type { ChatCompletionCreateParams, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { REQUEST, type SystemMode, translatedBody } from "./helpers.ts";

/** What a client adds to the plain request, what the target gets beside the plain one, and what is named as dropped. */
type Row = readonly [
  name: string,
  asked: Partial<MessageCreateParamsBase> & { readonly [key: string]: unknown },
  sent: Partial<ChatCompletionCreateParams>,
  dropped?: readonly string[] | undefined,
];

const PLAIN: Partial<ChatCompletionCreateParams> = {
  model: "claude-test",
  messages: [{ role: "user", content: "Hi" }],
  max_tokens: 100,
};

const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const;
const WEATHER = { name: "get_weather", description: "The weather", input_schema: { ...SCHEMA, required: ["city"] } };
const WEATHER_FUNCTION = {
  type: "function" as const,
  function: { name: "get_weather", description: "The weather", parameters: { ...SCHEMA } },
};
const SEARCH = { type: "web_search_20250305" as const, name: "web_search" as const, max_uses: 5 };
const BARE_FUNCTION = { type: "function" as const, function: { name: "f", parameters: { type: "object" } } };

function check([, asked, sent, dropped = []]: Row, mode?: SystemMode) {
  const result = translatedBody({ ...REQUEST, ...asked }, mode);
  expect(result.body).toEqual({ ...PLAIN, ...sent });
  expect(result.dropped).toEqual(dropped);
}

describe("settings", () => {
  const rows: readonly Row[] = [
    ["the plain request", {}, {}],
    ["null is not given", { temperature: null, system: null, tools: null, thinking: null, metadata: null, container: null } as never, {}],
    ["temperature and top_p stay, nought too", { temperature: 0, top_p: 0.5 }, { temperature: 0, top_p: 0.5 }],
    ["top_k has no place", { top_k: 5 }, {}, ["top_k"]],
    ["stop sequences", { stop_sequences: ["a", "b"] }, { stop: ["a", "b"] }],
    ["no stop sequences", { stop_sequences: [] }, {}],
    [
      "more stop sequences than OpenAI takes",
      { stop_sequences: ["a", "b", "c", "d", "e"] },
      { stop: ["a", "b", "c", "d"] },
      ["stop_sequences"],
    ],
    ["a stream tells its usage", { stream: true }, { stream: true, stream_options: { include_usage: true } }],
    ["no stream", { stream: false }, { stream: false }],
    ["a short user", { metadata: { user_id: "u-1" } }, { user: "u-1" }],
    ["Claude Code's long user", { metadata: { user_id: "u".repeat(65) } }, {}, ["metadata.user_id"]],
    ["other metadata", { metadata: { user_id: null, colour: "red" } as never }, {}, ["metadata.colour"]],
    ["the tier that is chosen anyway", { service_tier: "auto" }, {}],
    ["another tier", { service_tier: "standard_only" }, {}, ["service_tier"]],
    ["thinking off", { thinking: { type: "disabled" } }, {}],
    ["thinking as the model likes", { thinking: { type: "adaptive" } }, {}],
    ["thinking without a budget", { thinking: { type: "enabled" } as never }, {}],
    ["a low budget", { thinking: { type: "enabled", budget_tokens: 4096 } }, { reasoning_effort: "low" }, ["thinking.budget_tokens"]],
    ["a medium budget", { thinking: { type: "enabled", budget_tokens: 4097 } }, { reasoning_effort: "medium" }, ["thinking.budget_tokens"]],
    ["a high budget", { thinking: { type: "enabled", budget_tokens: 31_999 } }, { reasoning_effort: "high" }, ["thinking.budget_tokens"]],
    ["thinking that is only summarized", { thinking: { type: "adaptive", display: "summarized" } }, {}, ["thinking.display"]],
    ["thinking between tools", { thinking: { type: "between_tools" } as never }, {}, ["thinking"]],
    ["effort", { output_config: { effort: "low" } }, { reasoning_effort: "low" }],
    ["more effort than most targets know", { output_config: { effort: "max" } }, { reasoning_effort: "high" }, ["output_config.effort"]],
    [
      "effort goes before the budget",
      { thinking: { type: "enabled", budget_tokens: 31_999 }, output_config: { effort: "medium" } },
      { reasoning_effort: "medium" },
      ["thinking.budget_tokens"],
    ],
    [
      "a schema for the answer",
      { output_config: { format: { type: "json_schema", schema: SCHEMA } } },
      { response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA, strict: true } } },
    ],
    [
      "the older name of the schema",
      { output_format: { type: "json_schema", schema: SCHEMA } },
      { response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA, strict: true } } },
    ],
    ["other output settings", { output_config: { task_budget: { type: "tokens", total: 9 } } as never }, {}, ["output_config.task_budget"]],
    [
      "keys without a place, known or not, by name",
      {
        container: "c",
        context_management: { edits: [{}] },
        mcp_servers: [{}],
        anything: 1,
        cache_control: { type: "ephemeral" },
      } as never,
      {},
      ["container", "context_management", "mcp_servers", "anything", "cache_control"],
    ],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (_name, row) => check(row));

  const models: readonly (readonly [string, "max_tokens" | "max_completion_tokens"])[] = [
    ["claude-sonnet-4-5", "max_tokens"],
    ["gpt-4o", "max_tokens"],
    ["gpt-35-turbo", "max_tokens"],
    ["gpt-oss-120b", "max_tokens"],
    ["openai/gpt-oss-20b", "max_tokens"],
    ["olmo-3", "max_tokens"],
    ["deepseek-chat", "max_tokens"],
    ["o3", "max_completion_tokens"],
    ["o4-mini", "max_completion_tokens"],
    ["gpt-5.4-mini", "max_completion_tokens"],
    ["openai/gpt-5", "max_completion_tokens"],
  ];
  test.each([...models])("%s gets the limit as %s", (model, key) => {
    const { body } = translatedBody({ ...REQUEST, model });
    expect({ max_tokens: body.max_tokens, max_completion_tokens: body.max_completion_tokens }).toEqual({
      max_tokens: undefined,
      max_completion_tokens: undefined,
      [key]: 100,
    });
  });
});

describe("tools", () => {
  const tools = [WEATHER];
  const sent = { tools: [WEATHER_FUNCTION] };
  const rows: readonly Row[] = [
    ["a tool", { tools }, sent],
    ["a tool that says it is custom", { tools: [{ ...WEATHER, type: "custom" }] }, sent],
    [
      "a strict tool without a description",
      { tools: [{ name: "f", input_schema: { type: "object" }, strict: true }] },
      {
        tools: [{ type: "function", function: { ...BARE_FUNCTION.function, strict: true } }],
      },
    ],
    [
      "what only the service can use, once",
      {
        tools: [
          { ...WEATHER, cache_control: { type: "ephemeral" }, defer_loading: true, eager_input_streaming: null },
          { name: "f", input_schema: { type: "object" }, cache_control: { type: "ephemeral" }, defer_loading: false },
        ],
      },
      { tools: [WEATHER_FUNCTION, BARE_FUNCTION] },
      ["cache_control", "tools.defer_loading"],
    ],
    [
      "the service's own tools",
      { tools: [SEARCH, WEATHER, { type: "bash_20250124", name: "bash" }] },
      sent,
      ["tools.web_search_20250305", "tools.bash_20250124"],
    ],
    [
      "the service's own tools without a date",
      {
        tools: [
          { type: "tool_search_tool_regex", name: "tool_search_tool_regex" },
          { type: "mcp_toolset", mcp_server_name: "s" },
        ],
      },
      {},
      ["tools.tool_search_tool_regex", "tools.mcp_toolset"],
    ],
    [
      "the service's own tools alone take the choice with them",
      { tools: [SEARCH], tool_choice: { type: "auto" } },
      {},
      ["tools.web_search_20250305"],
    ],
    ["no tools", { tools: [], tool_choice: { type: "none" } }, {}],
    ["any choice", { tools, tool_choice: { type: "auto" } }, { ...sent, tool_choice: "auto" }],
    ["no choice", { tools, tool_choice: { type: "none" } }, { ...sent, tool_choice: "none" }],
    ["some tool", { tools, tool_choice: { type: "any", disable_parallel_tool_use: false } }, { ...sent, tool_choice: "required" }],
    [
      "this tool",
      { tools, tool_choice: { type: "tool", name: "get_weather" } },
      { ...sent, tool_choice: { type: "function", function: { name: "get_weather" } } },
    ],
    [
      "one call at a time",
      { tools, tool_choice: { type: "auto", disable_parallel_tool_use: true } },
      { ...sent, tool_choice: "auto", parallel_tool_calls: false },
    ],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (_name, row) => check(row));
});

describe("system prompts", () => {
  const system = [
    { type: "text" as const, text: "One.", cache_control: { type: "ephemeral" as const } },
    { type: "text" as const, text: "Two." },
  ];
  const hi = { role: "user" as const, content: "Hi" };
  const middle = [
    hi,
    { role: "assistant" as const, content: "Yes?" },
    { role: "system" as const, content: "Three." },
    { ...hi, content: "Go" },
  ];
  const rest: ChatCompletionMessageParam[] = [hi, { role: "assistant", content: "Yes?" }, { role: "user", content: "Go" }];
  const rows: readonly (readonly [
    string,
    SystemMode,
    Partial<MessageCreateParamsBase>,
    ChatCompletionMessageParam[],
    (readonly string[])?,
  ])[] = [
    ["a text", "instructions", { system: "Be brief." }, [{ role: "system", content: "Be brief." }, hi]],
    ["an empty text", "instructions", { system: "" }, [hi]],
    ["blocks, joined by a blank line", "instructions", { system }, [{ role: "system", content: "One.\n\nTwo." }, hi], ["cache_control"]],
    ["blocks, as input", "input", { system }, [{ role: "system", content: "One.\n\nTwo." }, hi], ["cache_control"]],
    ["left out", "drop", { system: "Be brief.", messages: middle as never }, rest],
    [
      "from the middle to the front",
      "instructions",
      { system: "One.", messages: middle as never },
      [{ role: "system", content: "One.\n\nThree." }, ...rest],
    ],
    [
      "in its place",
      "input",
      { system: "One.", messages: middle as never },
      [{ role: "system", content: "One." }, ...rest.slice(0, 2), { role: "system", content: "Three." }, ...rest.slice(2)],
    ],
    [
      "Claude Code's accounting is no instruction",
      "instructions",
      {
        system: [
          { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.1; cc_entrypoint=cli; cch=36ee5;" },
          { type: "text", text: "Two." },
        ],
      },
      [{ role: "system", content: "Two." }, hi],
      ["system.x-anthropic-billing-header"],
    ],
    [
      "and neither in the first line of a text",
      "instructions",
      { system: "x-anthropic-billing-header: cch=36ee5;\nTwo." },
      [{ role: "system", content: "Two." }, hi],
      ["system.x-anthropic-billing-header"],
    ],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (name, [, mode, asked, messages, dropped]) =>
    check([name, asked, { messages }, dropped], mode),
  );
});

const PNG = { type: "base64", media_type: "image/png", data: "iVBORw0K" } as const;
const PNG_PART = { type: "image_url" as const, image_url: { url: "data:image/png;base64,iVBORw0K" } };
const PDF = { type: "base64", media_type: "application/pdf", data: "JVBERi0x" } as const;

describe("what the user says", () => {
  type Content = Exclude<Extract<ChatCompletionMessageParam, { role: "user" }>["content"], undefined>;
  const rows: readonly (readonly [string, readonly BetaContentBlockParam[], Content, (readonly string[])?])[] = [
    ["a text block is a text", [{ type: "text", text: "Hi" }], "Hi"],
    [
      "text blocks are one text",
      [
        { type: "text", text: "One" },
        { type: "text", text: "Two" },
      ],
      "One\n\nTwo",
    ],
    [
      "an image among text",
      [
        { type: "text", text: "See" },
        { type: "image", source: PNG },
      ],
      [{ type: "text", text: "See" }, PNG_PART],
    ],
    [
      "an image by URL",
      [{ type: "image", source: { type: "url", url: "https://a/b.png" } }],
      [{ type: "image_url", image_url: { url: "https://a/b.png" } }],
    ],
    [
      "a document",
      [{ type: "document", source: PDF }],
      [{ type: "file", file: { filename: "document.pdf", file_data: "data:application/pdf;base64,JVBERi0x" } }],
    ],
    [
      "a document with a title and a context",
      [{ type: "document", source: PDF, title: "a.pdf", context: "Old.", citations: { enabled: true } }],
      [
        { type: "text", text: "Old." },
        { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0x" } },
      ],
      ["messages.citations"],
    ],
    [
      "a document of text",
      [{ type: "document", source: { type: "text", media_type: "text/plain", data: "Text." }, title: "T", citations: { enabled: false } }],
      "T\n\nText.",
    ],
    [
      "a document of blocks",
      [
        {
          type: "document",
          source: {
            type: "content",
            content: [
              { type: "text", text: "A" },
              { type: "image", source: PNG },
            ],
          },
        },
      ],
      [{ type: "text", text: "A" }, PNG_PART],
    ],
    ["a document of one text", [{ type: "document", source: { type: "content", content: "A" } }], "A"],
    [
      "a search result",
      [{ type: "search_result", title: "T", source: "https://s", content: [{ type: "text", text: "A" }] }],
      "T\nhttps://s\n\nA",
    ],
    [
      "hints for the cache, once",
      [
        { type: "text", text: "One", cache_control: { type: "ephemeral" } },
        { type: "text", text: "Two", cache_control: { type: "ephemeral", ttl: "1h" } },
      ],
      "One\n\nTwo",
      ["cache_control"],
    ],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (name, [, content, expected, dropped]) =>
    check([name, { messages: [{ role: "user", content: [...content] }] }, { messages: [{ role: "user", content: expected }] }, dropped]),
  );
});

describe("calls and their results", () => {
  const use = (id: string, input: object = {}) => ({ type: "tool_use" as const, id, name: "f", input });
  const result = (tool_use_id: string, content?: string | readonly object[], more: object = {}) => ({
    type: "tool_result" as const,
    tool_use_id,
    content,
    ...more,
  });
  const sentCall = (id: string, text = "{}") => ({ id, type: "function" as const, function: { name: "f", arguments: text } });
  const user = (content: unknown) => ({ role: "user" as const, content });
  const assistant = (content: unknown) => ({ role: "assistant" as const, content });
  const go: ChatCompletionMessageParam = { role: "user", content: "Go" };

  const rows: readonly (readonly [string, readonly object[], ChatCompletionMessageParam[], (readonly string[])?])[] = [
    [
      "a call and its result",
      [user("Go"), assistant([{ type: "text", text: "I look." }, use("a", { x: [1] })]), user([result("a", "42")])],
      [
        go,
        { role: "assistant", content: "I look.", tool_calls: [sentCall("a", '{"x":[1]}')] },
        { role: "tool", tool_call_id: "a", content: "42" },
      ],
    ],
    [
      "results stand before what the user says with them",
      [
        user("Go"),
        assistant([use("a"), use("b")]),
        user([
          { type: "text", text: "Now" },
          result("b", "2"),
          result("a", [
            { type: "text", text: "1" },
            { type: "text", text: "!" },
          ]),
        ]),
      ],
      [
        go,
        { role: "assistant", content: null, tool_calls: [sentCall("a"), sentCall("b")] },
        { role: "tool", tool_call_id: "b", content: "2" },
        { role: "tool", tool_call_id: "a", content: "1\n\n!" },
        { role: "user", content: "Now" },
      ],
    ],
    [
      "results in a later message of the turn come first all the same",
      [user("Go"), assistant([use("a"), use("b")]), user([result("a", "1")]), user("Now"), user([result("b", "2")])],
      [
        go,
        { role: "assistant", content: null, tool_calls: [sentCall("a"), sentCall("b")] },
        { role: "tool", tool_call_id: "a", content: "1" },
        { role: "tool", tool_call_id: "b", content: "2" },
        { role: "user", content: "Now" },
      ],
    ],
    [
      "two messages of the assistant in a row are one",
      [user("Go"), assistant([{ type: "text", text: "I " }, use("a")]), assistant("look."), user([result("a", "1")])],
      [go, { role: "assistant", content: "I look.", tool_calls: [sentCall("a")] }, { role: "tool", tool_call_id: "a", content: "1" }],
    ],
    [
      "a failed call says so",
      [
        user("Go"),
        assistant([use("a"), use("b"), use("c")]),
        user([
          result("a", "no such file", { is_error: true }),
          result("b", "Error: no", { is_error: true }),
          result("c", undefined, { is_error: true }),
        ]),
      ],
      [
        go,
        { role: "assistant", content: null, tool_calls: [sentCall("a"), sentCall("b"), sentCall("c")] },
        { role: "tool", tool_call_id: "a", content: "Error: no such file" },
        { role: "tool", tool_call_id: "b", content: "Error: no" },
        { role: "tool", tool_call_id: "c", content: "Error" },
      ],
    ],
    [
      "a result without content, and one that names a tool",
      [user("Go"), assistant([use("a"), use("b")]), user([result("a"), result("b", [{ type: "tool_reference", tool_name: "g" }])])],
      [
        go,
        { role: "assistant", content: null, tool_calls: [sentCall("a"), sentCall("b")] },
        { role: "tool", tool_call_id: "a", content: "" },
        { role: "tool", tool_call_id: "b", content: "" },
      ],
      ["messages.tool_reference"],
    ],
    [
      "an image in a result goes into the user message behind it",
      [
        user("Go"),
        assistant([use("a")]),
        user([
          result("a", [
            { type: "text", text: "Done" },
            { type: "image", source: PNG },
          ]),
          { type: "text", text: "Well?" },
        ]),
      ],
      [
        go,
        { role: "assistant", content: null, tool_calls: [sentCall("a")] },
        {
          role: "tool",
          tool_call_id: "a",
          content: "Done\n\n(What the tool returned beside text is in the user message after the results.)",
        },
        { role: "user", content: [{ type: "text", text: "From the result of tool call a:" }, PNG_PART, { type: "text", text: "Well?" }] },
      ],
    ],
    [
      "thinking and the service's own calls have no place",
      [
        user("Go"),
        assistant([
          { type: "thinking", thinking: "Hm", signature: "s" },
          { type: "redacted_thinking", data: "x" },
          { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} },
          { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
          { type: "text", text: "Paris is ", citations: [{ type: "web_search_result_location" }] },
          { type: "text", text: "big.", citations: [] },
        ]),
        user("Go"),
      ],
      [go, { role: "assistant", content: "Paris is big." }, go],
      ["messages.thinking", "messages.server_tool_use", "messages.web_search_tool_result", "messages.citations"],
    ],
    [
      "an answer of thinking alone keeps its turn",
      [user("Go"), assistant([{ type: "thinking", thinking: "Hm", signature: "" }]), user("Go")],
      [go, { role: "assistant", content: "" }, go],
      ["messages.thinking"],
    ],
    ["an answer without content can be said again", [user("Go"), assistant([]), user("Go")], [go, { role: "assistant", content: "" }, go]],
    [
      "an answer that is begun is named",
      [user("Go"), assistant("It is")],
      [go, { role: "assistant", content: "It is" }],
      ["messages.prefill"],
    ],
    ["an empty one is left out", [user("Go"), assistant("")], [go]],
  ];
  test.each(rows.map((row) => [row[0], row] as const))("%s", (name, [, messages, sent, dropped]) =>
    check([name, { messages: messages as never }, { messages: sent }, dropped]),
  );
});

test("a request as Claude Code sends it", () => {
  const ephemeral = { cache_control: { type: "ephemeral" } };
  const result = translatedBody({
    model: "claude-opus-4-6",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "<system-reminder>…</system-reminder>" },
          { type: "text", text: "list files", ...ephemeral },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "I list.", signature: "" },
          { type: "tool_use", id: "functions.Bash:0", name: "Bash", input: { command: "ls" }, caller: { type: "direct" } },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "functions.Bash:0", content: "a\nb", is_error: false, ...ephemeral }] },
    ],
    system: [
      { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;" },
      { type: "text", text: "You are Claude Code.", ...ephemeral },
      { type: "text", text: "# Rules", ...ephemeral },
    ],
    tools: [{ name: "Bash", description: "Runs", input_schema: { type: "object", properties: { command: { type: "string" } } } }],
    metadata: { user_id: JSON.stringify({ device_id: "d".repeat(64), account_uuid: "", session_id: "s" }) },
    max_tokens: 32_000,
    thinking: { type: "adaptive" },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
    output_config: { effort: "high" },
    stream: true,
  });
  const expected: ChatCompletionCreateParams = {
    model: "claude-opus-4-6",
    messages: [
      { role: "system", content: "You are Claude Code.\n\n# Rules" },
      { role: "user", content: "<system-reminder>…</system-reminder>\n\nlist files" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "functions.Bash:0", type: "function", function: { name: "Bash", arguments: '{"command":"ls"}' } }],
      },
      { role: "tool", tool_call_id: "functions.Bash:0", content: "a\nb" },
    ],
    tools: [
      {
        type: "function",
        function: { name: "Bash", description: "Runs", parameters: { type: "object", properties: { command: { type: "string" } } } },
      },
    ],
    max_tokens: 32_000,
    reasoning_effort: "high",
    stream: true,
    stream_options: { include_usage: true },
  };
  expect(result.body).toEqual({ ...expected });
  expect(result.dropped).toEqual([
    "cache_control",
    "system.x-anthropic-billing-header",
    "messages.thinking",
    "metadata.user_id",
    "context_management",
  ]);
});
