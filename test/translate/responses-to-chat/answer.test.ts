import { describe, expect, test } from "bun:test";
import type { Response as ModelResponse, ResponseCreateParams } from "openai/resources/responses/responses";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { context, USAGE } from "./support.ts";

/** On the wire there is no `output_text`: the client makes it. */
type Wire = Omit<ModelResponse, "output_text">;

const URL_CITATION = { start_index: 0, end_index: 2, title: "t", url: "https://x" };

function completion(message: JsonObject, finish_reason: string | null = "stop", rest: JsonObject = {}): JsonObject {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_750_000_000,
    model: "target-model",
    choices: [{ index: 0, message: { role: "assistant", ...message }, logprobs: null, finish_reason }],
    usage: USAGE,
    ...rest,
  };
}

function answered(answer: JsonObject, request?: ResponseCreateParams) {
  const { status, body } = responsesToChat.whole(answer, context(request));
  return { status, body: body as unknown as Wire };
}

const text = (value: string) => ({ type: "output_text", annotations: [], logprobs: [], text: value }) as const;

describe("an answer with every field", () => {
  const expected: Wire = {
    id: "resp_1",
    access_programs: null,
    object: "response",
    created_at: 1_750_000_000,
    status: "completed",
    background: false,
    completed_at: 1_750_000_000,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    max_tool_calls: null,
    model: "asked-for",
    output: [
      {
        id: "msg_10",
        type: "message",
        role: "assistant",
        status: "completed",
        content: [text("Hello")],
      },
    ],
    parallel_tool_calls: true,
    previous_response_id: null,
    prompt_cache_key: null,
    prompt_cache_retention: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: "default",
    store: true,
    temperature: 1,
    text: { format: { type: "text" }, verbosity: "medium" },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    truncation: "disabled",
    usage: {
      input_tokens: 12,
      input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
      output_tokens: 6,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 18,
    },
    user: null,
    metadata: {},
  } as object as Wire;

  test("has the service's own values where the request says nothing", () => {
    expect(answered(completion({ content: "Hello" }))).toEqual({ status: 200, body: expected });
  });

  test("repeats what the request says", () => {
    const said = {
      instructions: "Be kind.",
      max_output_tokens: 100,
      metadata: { a: "b" },
      parallel_tool_calls: false,
      prompt_cache_key: "k",
      safety_identifier: "s",
      store: false,
      temperature: 0,
      tool_choice: "required",
      tools: [{ type: "function", name: "f", parameters: {}, strict: true }],
      top_logprobs: 2,
      top_p: 0.5,
      truncation: "auto",
      user: "u",
    } as const;
    const request: ResponseCreateParams = {
      ...said,
      tools: [...said.tools],
      model: "m",
      input: "Hi",
      text: { verbosity: "low" },
      reasoning: { effort: "high" },
    };
    expect(answered(completion({ content: "Hello" }, "stop", { service_tier: "flex" }), request).body).toEqual({
      ...expected,
      ...said,
      model: "m",
      service_tier: "flex",
      text: { format: { type: "text" }, verbosity: "low" },
      reasoning: { effort: "high", summary: null },
    } as never);
  });

  test("has the target's model where none was asked for, and the exchange's id and time where the target gives none", () => {
    const { id: _id, created: _created, ...bare } = completion({ content: "Hello" });
    expect(answered(bare, { input: "Hi" }).body).toMatchObject({ model: "target-model", id: "resp_ctx0", created_at: 1_760_000_000 });
  });

  test("has no usage where the target gives none", () => {
    expect(answered(completion({ content: "Hello" }, "stop", { usage: undefined })).body.usage).toBeNull();
  });
});

const message = (id: string, content: readonly unknown[], status = "completed") => ({
  id,
  type: "message",
  role: "assistant",
  status,
  content,
});
const reasoning = (value: string) => ({ id: "rs_10", type: "reasoning", summary: [{ type: "summary_text", text: value }] });

describe("the message becomes items", () => {
  const patch = { type: "custom", name: "apply_patch" } as const;
  const search = { type: "function", name: "search", parameters: {}, strict: false } as const;
  const namespace = { type: "namespace", name: "mcp__docs", description: "", tools: [search] } as const;
  const functionCall = (name: string, argumentsValue: unknown, id: unknown = "call_a") => ({
    tool_calls: [{ id, type: "function", function: { name, arguments: argumentsValue } }],
  });
  type Row = readonly [name: string, message: JsonObject, output: readonly unknown[], request?: ResponseCreateParams];
  const rows: readonly Row[] = [
    ["nothing", { content: null }, []],
    ["an empty text", { content: "" }, []],
    ["a refusal", { content: null, refusal: "No." }, [message("msg_10", [{ type: "refusal", refusal: "No." }])]],
    ["a text and a refusal", { content: "Hm.", refusal: "No." }, [message("msg_10", [text("Hm."), { type: "refusal", refusal: "No." }])]],
    ["reasoning in one name", { reasoning_content: "Hm.", content: "Hi" }, [reasoning("Hm."), message("msg_11", [text("Hi")])]],
    ["reasoning in the other", { reasoning: "Hm.", content: "Hi" }, [reasoning("Hm."), message("msg_11", [text("Hi")])]],
    ["reasoning in both", { reasoning: "Hm.", reasoning_content: "Hm." }, [reasoning("Hm.")]],
    [
      "parts of Databricks",
      {
        content: [
          { type: "reasoning", summary: [{ type: "summary_text", text: "Hm." }] },
          { type: "text", text: "H" },
          { type: "text", text: "i" },
        ],
      },
      [reasoning("Hm."), message("msg_11", [text("Hi")])],
    ],
    [
      "parts of Mistral",
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "Hm." }] },
          { type: "text", text: "Hi" },
        ],
      },
      [reasoning("Hm."), message("msg_11", [text("Hi")])],
    ],
    [
      "citations",
      { content: "Hi", annotations: [{ type: "url_citation", url_citation: URL_CITATION }, { type: "other" }] },
      [message("msg_10", [{ ...text("Hi"), annotations: [{ type: "url_citation", ...URL_CITATION }] }])],
    ],
    [
      "calls",
      {
        content: "Wait.",
        tool_calls: [
          { id: "call_a", type: "function", function: { name: "f", arguments: '{"a":1}' } },
          { id: "call_b", type: "function", function: { name: "g", arguments: "" } },
        ],
      },
      [
        message("msg_10", [text("Wait.")]),
        { id: "fc_11", type: "function_call", call_id: "call_a", name: "f", status: "completed", arguments: '{"a":1}' },
        { id: "fc_12", type: "function_call", call_id: "call_b", name: "g", status: "completed", arguments: "{}" },
      ],
    ],
    [
      "arguments as JSON, and no id",
      functionCall("f", { a: 1 }, null),
      [{ id: "fc_10", type: "function_call", call_id: "call_10", name: "f", status: "completed", arguments: '{"a":1}' }],
    ],
    [
      "two calls of one id",
      { tool_calls: [...functionCall("f", "{}").tool_calls, ...functionCall("g", "{}").tool_calls] },
      [
        { id: "fc_10", type: "function_call", call_id: "call_a", name: "f", status: "completed", arguments: "{}" },
        { id: "fc_11", type: "function_call", call_id: "call_a_2", name: "g", status: "completed", arguments: "{}" },
      ],
    ],
    [
      "the call of old",
      { function_call: { name: "f", arguments: "{}" } },
      [{ id: "fc_10", type: "function_call", call_id: "call_10", name: "f", status: "completed", arguments: "{}" }],
    ],
    ["the call of old that is none", { content: null, function_call: { name: "", arguments: "" } }, []],
    [
      "a custom tool's call",
      { tool_calls: [{ id: "call_a", type: "custom", custom: { name: "apply_patch", input: "*** Begin" } }] },
      [{ id: "ctc_10", type: "custom_tool_call", call_id: "call_a", name: "apply_patch", status: "completed", input: "*** Begin" }],
      { input: "Hi", tools: [patch] },
    ],
    [
      "a custom tool that was called as a function",
      functionCall("apply_patch", '{"input":"*** Begin"}'),
      [{ id: "ctc_10", type: "custom_tool_call", call_id: "call_a", name: "apply_patch", status: "completed", input: "*** Begin" }],
      { input: "Hi", tools: [patch] },
    ],
    [
      "the same with arguments of another form",
      functionCall("apply_patch", '{"patch":"*** Begin"}'),
      [
        {
          id: "ctc_10",
          type: "custom_tool_call",
          call_id: "call_a",
          name: "apply_patch",
          status: "completed",
          input: '{"patch":"*** Begin"}',
        },
      ],
      { input: "Hi", tools: [patch] },
    ],
    [
      "a tool of a namespace gets both its names back",
      functionCall("mcp__docs__search", "{}"),
      [
        {
          id: "fc_10",
          type: "function_call",
          call_id: "call_a",
          name: "search",
          namespace: "mcp__docs",
          status: "completed",
          arguments: "{}",
        },
      ],
      { input: "Hi", tools: [{ ...namespace, tools: [...namespace.tools] }] },
    ],
  ];
  test.each(rows.map(([name, given, output, request]) => ({ name, given, output, request })))("$name", ({ given, output, request }) => {
    expect(answered(completion(given), request).body.output).toEqual(output as never);
  });

  test("probabilities of its tokens", () => {
    const content = [{ token: "Hi", logprob: -0.1, bytes: [72, 105], top_logprobs: [] }];
    const answer = { ...completion({}), choices: [{ message: { content: "Hi" }, logprobs: { content }, finish_reason: "stop" }] };
    expect(answered(answer).body.output).toMatchObject([{ content: [{ logprobs: content }] }]);
  });
});

describe("why it ended", () => {
  const rows = [
    ["stop", "completed", null],
    ["tool_calls", "completed", null],
    ["function_call", "completed", null],
    [null, "completed", null],
    ["length", "incomplete", { reason: "max_output_tokens" }],
    ["model_length", "incomplete", { reason: "max_output_tokens" }],
    ["content_filter", "incomplete", { reason: "content_filter" }],
  ] as const;
  test.each(rows)("%s", (reason, status, incomplete_details) => {
    const { body } = answered(completion({ content: "Hello" }, reason));
    expect(body).toMatchObject({ status, incomplete_details, output: [{ status }] });
    expect(body.completed_at === null).toBe(status === "incomplete");
  });

  test("a call that was cut before it had a name is left out", () => {
    const { status, body } = answered(completion({ content: "Wait.", tool_calls: [{ id: "a", function: { arguments: "" } }] }, "length"));
    expect({ status, body }).toMatchObject({ status: 200, body: { status: "incomplete", output: [{ type: "message" }] } });
    expect(body.output).toHaveLength(1);
  });

  test("only the last item is cut, and what is left of its arguments stays as it is", () => {
    const { body } = answered(
      completion({ content: "Wait.", tool_calls: [{ id: "a", function: { name: "f", arguments: '{"a' } }] }, "length"),
    );
    expect(body.output).toMatchObject([{ status: "completed" }, { status: "incomplete", arguments: '{"a' }]);
  });
});

describe("an answer that is none", () => {
  const rows: readonly (readonly [name: string, answer: JsonObject, status: number, error: JsonObject])[] = [
    [
      "an error in its place",
      { error: { message: "Slow down.", type: "x", code: "rate_limit_exceeded", param: "p" } },
      429,
      { message: "Slow down.", type: "x", code: "rate_limit_exceeded", param: "p" },
    ],
    [
      "an error with a number",
      { error: { message: "Gone.", code: 404 } },
      404,
      { message: "Gone.", type: "invalid_request_error", code: 404, param: null },
    ],
    [
      "a flat error",
      { object: "error", message: "Bad.", type: "BadRequestError", code: 400 },
      400,
      { message: "Bad.", type: "BadRequestError", code: 400, param: null },
    ],
    [
      "an error that says nothing",
      { error: {} },
      500,
      { message: "The target broke off its answer with an error.", type: "server_error", code: "server_error", param: null },
    ],
    [
      "nothing",
      {},
      502,
      { message: "The answer of the target holds no message.", type: "server_error", code: "server_error", param: null },
    ],
    ["no choices", { choices: [] }, 502, { message: "The answer of the target holds no message." }],
    ["no message", { choices: [{ index: 0 }] }, 502, { message: "The answer of the target holds no message." }],
    [
      "one that broke off",
      completion({ content: "Hel" }, "error"),
      502,
      { message: "The target broke off its answer: its finish_reason is error.", code: "server_error" },
    ],
    [
      "one that was aborted",
      completion({ content: "Hel" }, "abort"),
      502,
      { message: "The target broke off its answer: its finish_reason is abort.", code: "server_error" },
    ],
    [
      "one that there was no room for",
      completion({ content: "Hel" }, "insufficient_system_resource"),
      503,
      { message: "The target broke off its answer: its finish_reason is insufficient_system_resource.", code: "server_is_overloaded" },
    ],
    ...[{ arguments: "{}" }, { name: "", arguments: "{}" }, { name: null }].map(
      (details) =>
        [
          `a call without a name: ${JSON.stringify(details)}`,
          completion({ content: "Hi", tool_calls: [{ id: "a", type: "function", function: details }] }, "tool_calls"),
          502,
          {
            message: "The answer of the target has a tool call without a name.",
            type: "server_error",
            code: "nameless_tool_call",
            param: null,
          },
        ] as const,
    ),
    [
      "one that is too long",
      completion({ content: "x".repeat(16 * 1024 * 1024 + 1) }),
      502,
      { message: "The answer of the target is longer than 16777216 characters." },
    ],
  ];
  test.each(rows)("%s", (_name, answer, status, error) => {
    const result = responsesToChat.whole(answer, context());
    expect(result.status).toBe(status);
    expect(result.body.error).toMatchObject(error);
  });
});
