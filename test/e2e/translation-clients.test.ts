import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { FAULTS } from "../../src/faults/index.ts";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { outcomeOf } from "./support/outcome.ts";
import { played, type RecordedBackend, recorded, startBackend, whole } from "./support/recorded-backend.ts";
import { anthropicAt, openaiAt, post, startTranslating, thrownBy } from "./support/translating.ts";

const TEXT = "Grüße aus Zürich 👋";
const SCHEMA = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** What Codex asks, in form: instructions, its tools, a stream, nothing stored, reasoning to be shown and sent back. */
const CODEX = {
  model: "gpt-5.1-codex",
  instructions: "You are a coding agent.",
  input: [
    {
      type: "message" as const,
      role: "developer" as const,
      content: [{ type: "input_text" as const, text: "<permissions>read-only</permissions>" }],
    },
    { type: "message" as const, role: "user" as const, content: [{ type: "input_text" as const, text: "What is the weather?" }] },
  ],
  tools: [
    { type: "function" as const, name: "get_weather", description: "d", strict: false, parameters: SCHEMA },
    { type: "function" as const, name: "get_time", description: "d", strict: false, parameters: SCHEMA },
  ],
  tool_choice: "auto" as const,
  parallel_tool_calls: true,
  reasoning: { effort: "medium" as const, summary: "auto" as const },
  store: false,
  include: ["reasoning.encrypted_content" as const],
  prompt_cache_key: "0199f1e2-5b1c-7d12-9c51-3c1d2e4f5a6b",
};

/** What Claude Code asks, in form: a system prompt in blocks to be cached, thinking, tools, a client's id. */
const CLAUDE_CODE = {
  model: "claude-opus-4-5",
  max_tokens: 16_000,
  system: [
    { type: "text" as const, text: "You are Claude Code.", cache_control: { type: "ephemeral" as const } },
    { type: "text" as const, text: "Be brief." },
  ],
  messages: [{ role: "user" as const, content: [{ type: "text" as const, text: "What is the weather?" }] }],
  tools: [
    { name: "get_weather", description: "d", input_schema: SCHEMA },
    { name: "get_time", description: "d", input_schema: SCHEMA },
  ],
  thinking: { type: "enabled" as const, budget_tokens: 10_000 },
  metadata: { user_id: "user_1" },
};

describe.each(ENGINES)("other clients before a target that speaks Chat Completions, with the %s engine", (engine) => {
  let backend: RecordedBackend;
  let daemon: TestDaemon;
  let builtIn: TestDaemon;
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "chat"']);
    builtIn = await startTranslating(engine, ['endpoint = "simulated"', 'dialect = "chat"'], ["--tokens", "12"]);
  });
  afterAll(async () => {
    await Promise.all([daemon.stop(), builtIn.stop()]);
    backend.stop();
  });

  describe("a client of Responses, as Codex is one", () => {
    const asked = () => openaiAt(daemon).responses.stream(CODEX);

    test("the request", async () => {
      backend.reply(played(recorded("chat/text.sse")));
      const response = await asked().finalResponse();
      expect(response).toMatchObject({ status: "completed", model: "gpt-5.1-codex", output_text: TEXT });
      expect(backend.last()).toMatchObject({ method: "POST", target: "/v1/chat/completions" });
      expect(backend.last().header("authorization")).toBe("Bearer sk-test");
      expect(backend.last().json).toEqual({
        model: "gpt-5.1-codex",
        messages: [
          { role: "system", content: "You are a coding agent." },
          // Most servers know no developer.
          { role: "system", content: "<permissions>read-only</permissions>" },
          { role: "user", content: "What is the weather?" },
        ],
        tools: CODEX.tools.map(({ type, ...rest }) => ({ type, function: rest })),
        tool_choice: "auto",
        parallel_tool_calls: true,
        reasoning_effort: "medium",
        prompt_cache_key: CODEX.prompt_cache_key,
        stream: true,
        stream_options: { include_usage: true },
      });
    });

    test.each([1, 40, 100_000])("a text in chunks of %d bytes, with its usage", async (chunkBytes) => {
      backend.reply(played(recorded("chat/text.sse"), { chunkBytes }));
      const types: string[] = [];
      let text = "";
      const stream = await openaiAt(daemon).responses.create({ ...CODEX, stream: true });
      for await (const event of stream) {
        expect(event.sequence_number).toBe(types.length);
        types.push(event.type);
        if (event.type === "response.output_text.delta") text += event.delta;
        if (event.type === "response.completed")
          expect(event.response.usage).toMatchObject({
            input_tokens: 19,
            output_tokens: 10,
            total_tokens: 29,
            input_tokens_details: { cached_tokens: 4 },
          });
      }
      expect(text).toBe(TEXT);
      expect(types.slice(0, 2)).toEqual(["response.created", "response.in_progress"]);
      expect(types.at(-1)).toBe("response.completed");
    });

    test("reasoning_content is reasoning, before the text", async () => {
      backend.reply(played(recorded("chat/reasoning.sse")));
      const { output, output_text } = await asked().finalResponse();
      expect(output.map(({ type }) => type)).toEqual(["reasoning", "message"]);
      expect(output[0]).toMatchObject({ summary: [{ type: "summary_text", text: "The user wants a greeting." }] });
      expect(output_text).toBe("\n\nHello there!");
    });

    test("calls, and their results in the next request", async () => {
      backend.reply(played(recorded("chat/calls.sse"), { chunkBytes: 30 }));
      const { output } = await asked().finalResponse();
      const calls = output.flatMap((item) => (item.type === "function_call" ? [item] : []));
      expect(calls.map(({ name, arguments: input }) => [name, input])).toEqual([
        ["get_weather", '{"city": "Zürich"}'],
        ["get_time", '{"city": "Paris"}'],
      ]);
      backend.reply(whole(200, recorded("chat/calls.json")));
      const again = await openaiAt(daemon).responses.create({
        ...CODEX,
        input: [
          ...CODEX.input,
          ...(output as OpenAI.Responses.ResponseInputItem[]),
          ...calls.map(({ call_id }) => ({ type: "function_call_output" as const, call_id, output: "rain" })),
        ],
      });
      expect(again.output.map(({ type }) => type)).toEqual(["reasoning", "function_call", "function_call"]);
      const messages = backend.last().json.messages as readonly {
        role: string;
        tool_calls?: unknown;
        tool_call_id?: string;
        content?: unknown;
      }[];
      expect(messages.slice(3).map(({ role }) => role)).toEqual(["assistant", "tool", "tool"]);
      expect(messages[3]).toMatchObject({
        tool_calls: calls.map(({ call_id, name, arguments: input }) => ({
          id: call_id,
          type: "function",
          function: { name, arguments: input },
        })),
      });
      expect(messages.slice(4)).toEqual(calls.map(({ call_id }) => ({ role: "tool", tool_call_id: call_id, content: "rain" })));
    });

    test("the end of an answer by its length", async () => {
      backend.reply(played(recorded("chat/length.sse")));
      expect(await asked().finalResponse()).toMatchObject({
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        output_text: "It was a dark",
      });
    });

    test.each([
      ["an error in the stream", recorded("chat/error.sse"), "proper", /EngineCore encountered an issue/],
      ["a stream that is cut", recorded("chat/text.sse").subarray(0, 1_200), "rst", /ended before it was whole/],
      ["a stream that ends early", recorded("chat/text.sse").subarray(0, 1_200), "proper", /ended before it was whole/],
    ] as const)("%s is an error, and response.failed", async (_, bytes, end, message) => {
      backend.reply(played(bytes, { end, until: Bun.sleep(20) }));
      const types: string[] = [];
      try {
        for await (const event of await openaiAt(daemon).responses.create({ ...CODEX, stream: true })) types.push(event.type);
        throw new Error("it ended well");
      } catch (error) {
        expect(String(error)).toMatch(message);
      }
      expect(types).not.toContain("response.completed");
      const { text } = await outcomeOf(daemon, "/v1/responses", { ...CODEX, stream: true }, 5_000);
      expect(text).toContain("event: response.failed\n");
    });

    test("the built-in target: a text, a call, a JSON schema", async () => {
      const openai = openaiAt(builtIn);
      const response = await openai.responses.create({ model: "gpt-5.1", input: "hello" });
      expect(response.output_text.split(" ").length).toBe(12);
      expect(response.usage).toMatchObject({ output_tokens: 12 });
      const streamed = await openai.responses.stream({ model: "gpt-5.1", input: "hello" }).finalResponse();
      expect(streamed.output_text).toBe(response.output_text);
      const called = await openai.responses.stream({ ...CODEX, input: "Please call get_weather." }).finalResponse();
      expect(called.output).toMatchObject([{ type: "function_call", name: "get_weather", status: "completed" }]);
      const parsed = await openai.responses.parse({
        model: "gpt-5.1",
        input: "hello",
        text: { format: { type: "json_schema", name: "place", schema: { ...SCHEMA, additionalProperties: false }, strict: true } },
      });
      expect(parsed.output_parsed as unknown).toEqual({ city: expect.any(String) });
    });

    test("a mistake is told in OpenAI's shape, by its name", async () => {
      const error = await thrownBy(openaiAt(daemon).responses.create({ model: "m", input: [{ role: "robot" as "user", content: "x" }] }));
      expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param: expect.stringContaining("input[0]") });
    });

    test("what needs a store of answers is refused, not left out", async () => {
      const before = backend.requests.length;
      const error = await thrownBy(openaiAt(daemon).responses.create({ model: "m", input: "x", previous_response_id: "resp_1" }));
      expect(error).toMatchObject({ status: 400, param: "previous_response_id" });
      expect(backend.requests.length).toBe(before);
    });
  });

  describe("a client of Messages, as Claude Code is one", () => {
    const asked = (more: object = {}) => anthropicAt(daemon).messages.stream({ ...CLAUDE_CODE, ...more });

    test("the request: system blocks, thinking, tools; nothing of Anthropic's in the head", async () => {
      backend.reply(played(recorded("chat/text.sse")));
      const message = await asked().finalMessage();
      expect(message).toMatchObject({
        type: "message",
        role: "assistant",
        model: "claude-opus-4-5",
        content: [{ type: "text", text: TEXT }],
        stop_reason: "end_turn",
        usage: { output_tokens: 10 },
      });
      const { target, json, header } = backend.last();
      expect(target).toBe("/v1/chat/completions");
      expect(header("authorization")).toBe("Bearer sk-ant-test");
      for (const name of ["x-api-key", "anthropic-version", "anthropic-beta"]) expect(header(name)).toBeUndefined();
      expect(json).toMatchObject({
        model: "claude-opus-4-5",
        max_tokens: 16_000,
        reasoning_effort: "medium",
        stream: true,
        stream_options: { include_usage: true },
        tools: CLAUDE_CODE.tools.map(({ name, description, input_schema }) => ({
          type: "function",
          function: { name, description, parameters: input_schema },
        })),
      });
      const [system, ...rest] = json.messages as readonly { role: string; content: unknown }[];
      expect(system?.role).toBe("system");
      expect(JSON.stringify(system?.content)).toMatch(/You are Claude Code\..*Be brief\./);
      expect(rest).toEqual([{ role: "user", content: "What is the weather?" }]);
    });

    test("the query of Claude Code means nothing to the target", async () => {
      backend.reply(whole(200, recorded("chat/text.json")));
      expect((await post(daemon, "/v1/messages?beta=true", CLAUDE_CODE, { "anthropic-version": "2023-06-01" })).status).toBe(200);
      expect(backend.last().target).toBe("/v1/chat/completions");
    });

    test.each([1, 40, 100_000])("thinking, then text, in chunks of %d bytes", async (chunkBytes) => {
      backend.reply(played(recorded("chat/reasoning.sse"), { chunkBytes }));
      const { content, usage } = await asked().finalMessage();
      expect(content).toMatchObject([
        { type: "thinking", thinking: "The user wants a greeting." },
        { type: "text", text: "\n\nHello there!" },
      ]);
      expect(usage.output_tokens).toBe(13);
    });

    test("calls, and their results, with an image, in the next request", async () => {
      backend.reply(played(recorded("chat/calls.sse"), { chunkBytes: 30 }));
      const { content, stop_reason } = await asked().finalMessage();
      expect(stop_reason).toBe("tool_use");
      const calls = content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
      expect(calls.map(({ name, input }) => [name, input])).toEqual([
        ["get_weather", { city: "Zürich" }],
        ["get_time", { city: "Paris" }],
      ]);
      backend.reply(whole(200, recorded("chat/calls.json")));
      const image = { type: "image" as const, source: { type: "base64" as const, media_type: "image/png" as const, data: PNG } };
      const next = await anthropicAt(daemon).messages.create({
        ...CLAUDE_CODE,
        messages: [
          ...CLAUDE_CODE.messages,
          { role: "assistant", content: content as unknown as Anthropic.ContentBlockParam[] },
          {
            role: "user",
            content: [
              ...calls.map(({ id }) => ({ type: "tool_result" as const, tool_use_id: id, content: "rain" })),
              image,
              { type: "text", text: "And this?" },
            ],
          },
        ],
      });
      expect(next).toMatchObject({
        stop_reason: "tool_use",
        content: [{ type: "thinking" }, { type: "tool_use", name: "get_weather" }, { type: "tool_use", name: "get_time" }],
      });
      const messages = backend.last().json.messages as readonly { role: string; content?: unknown; tool_call_id?: string }[];
      expect(messages.slice(2).map(({ role }) => role)).toEqual(["assistant", "tool", "tool", "user"]);
      expect(messages.slice(3, 5).map((message) => message.tool_call_id)).toEqual(calls.map(({ id }) => id));
      expect(messages.at(-1)?.content).toEqual([
        { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
        { type: "text", text: "And this?" },
      ]);
    });

    test("the end of an answer by its length", async () => {
      backend.reply(played(recorded("chat/length.sse")));
      expect(await asked().finalMessage()).toMatchObject({ stop_reason: "max_tokens", content: [{ text: "It was a dark" }] });
    });

    test.each([
      ["an error in the stream", recorded("chat/error.sse"), "proper", /EngineCore encountered an issue/],
      ["a stream that is cut", recorded("chat/text.sse").subarray(0, 1_200), "rst", /ended before its answer was finished/],
      ["a stream that ends early", recorded("chat/text.sse").subarray(0, 1_200), "proper", /ended before its answer was finished/],
    ] as const)("%s is an error of Anthropic's form", async (_, bytes, end, message) => {
      backend.reply(played(bytes, { end, until: Bun.sleep(20) }));
      const error = await thrownBy(asked().finalMessage());
      expect(error).toMatchObject({ error: { type: "error", error: { type: "api_error", message: expect.stringMatching(message) } } });
    });

    test("errors of the target have Anthropic's shape and words", async () => {
      for (const [status, type] of [
        [400, "invalid_request_error"],
        [401, "authentication_error"],
        [429, "rate_limit_error"],
        [500, "api_error"],
        [503, "overloaded_error"],
      ] as const) {
        backend.reply(whole(status, JSON.stringify({ error: { message: "no", type: "x", code: null, param: null } })));
        const error = await thrownBy(anthropicAt(daemon).messages.create(CLAUDE_CODE));
        expect(error).toMatchObject({ status, error: { type: "error", error: { type, message: "no" } } });
      }
    });

    test("a mistake is told in Anthropic's shape, by its name", async () => {
      const before = backend.requests.length;
      const error = await thrownBy(
        anthropicAt(daemon).messages.create({ ...CLAUDE_CODE, messages: [{ role: "robot" as "user", content: "x" }] }),
      );
      expect(error).toMatchObject({
        status: 400,
        error: { error: { type: "invalid_request_error", message: expect.stringContaining("messages.0.role") } },
      });
      expect(backend.requests.length).toBe(before);
    });

    test("the built-in target: a text and a call, whole and streamed", async () => {
      const anthropic = anthropicAt(builtIn);
      const hello = { model: "claude-opus-4-5", max_tokens: 100, messages: [{ role: "user" as const, content: "hello" }] };
      const message = await anthropic.messages.create(hello);
      expect(message).toMatchObject({ stop_reason: "end_turn", usage: { output_tokens: 12 } });
      expect((await anthropic.messages.stream(hello).finalMessage()).content).toEqual(message.content as never);
      const called = await anthropic.messages
        .stream({ ...CLAUDE_CODE, messages: [{ role: "user", content: "Please call get_weather." }] })
        .finalMessage();
      expect(called).toMatchObject({
        stop_reason: "tool_use",
        content: [{ type: "tool_use", name: "get_weather", input: { city: expect.any(String) } }],
      });
    });
  });

  describe("a client of Messages before a target that speaks Responses", () => {
    let there: TestDaemon;
    beforeAll(async () => {
      there = await startTranslating(engine, [
        `endpoint = "${backend.endpoint}"`,
        'dialect = "responses"',
        'system_messages = "instructions"',
      ]);
    });
    afterAll(() => there.stop());

    test("parallel calls whose arguments come interleaved", async () => {
      backend.reply(played(recorded("responses/parallel-calls.sse"), { chunkBytes: 100 }));
      const { content, stop_reason } = await anthropicAt(there).messages.stream(CLAUDE_CODE).finalMessage();
      expect(stop_reason).toBe("tool_use");
      expect(content.flatMap((block) => (block.type === "tool_use" ? [[block.name, block.input]] : []))).toEqual([
        ["get_weather", { city: "Zürich", units: "metric" }],
        ["get_time", { city: "Paris" }],
        ["get_weather", { city: "Oslo", units: "metric" }],
      ]);
      expect(backend.last().target).toBe("/v1/responses");
      expect(backend.last().json).toMatchObject({
        instructions: expect.stringMatching(/^You are Claude Code\.\s+Be brief\.$/),
        input: [{ type: "message", role: "user" }],
        max_output_tokens: 16_000,
        reasoning: { effort: "medium" },
        store: false,
        stream: true,
      });
    });

    test("a text with its usage, whole and streamed; a failure", async () => {
      const text = "Grüße aus Zürich 👋 — 25 °C, sonnig.";
      backend.reply(whole(200, recorded("responses/text.json")));
      const usage = { output_tokens: 87, cache_read_input_tokens: 12 };
      expect(await anthropicAt(there).messages.create(CLAUDE_CODE)).toMatchObject({
        stop_reason: "end_turn",
        content: [{ type: "text", text }],
        usage,
      });
      backend.reply(played(recorded("responses/text.sse"), { chunkBytes: 77 }));
      expect(await anthropicAt(there).messages.stream(CLAUDE_CODE).finalMessage()).toMatchObject({
        content: [{ type: "text", text }],
        usage,
      });
      backend.reply(played(recorded("responses/failed.sse")));
      expect(await thrownBy(anthropicAt(there).messages.stream(CLAUDE_CODE).finalMessage())).toMatchObject({
        error: { type: "error", error: { type: "rate_limit_error", message: expect.stringContaining("try again in 11.054s") } },
      });
    });
  });

  /** Streams of the built-in target, and how each of these clients knows that an answer is whole. */
  const STREAMED = [
    ["/v1/responses", { model: "gpt-5.1", input: "hello", stream: true }, /"type":"response\.(?:completed|incomplete)"/],
    [
      "/v1/messages",
      { model: "m", max_tokens: 100, messages: [{ role: "user", content: "hello" }], stream: true },
      /"type":"message_stop"/,
    ],
  ] as const;
  /** Other words than usual, or fewer, are what these faults are for. */
  const OTHER_ANSWERS: ReadonlySet<string> = new Set(["finish_length", "refusal", "empty", "duplicate_frame"]);
  const ON_FRAMES = FAULTS.filter(({ acts, name }) => acts === "body" && !OTHER_ANSWERS.has(name) && name !== "stall");

  test.each(STREAMED)("%s: with any fault in the target's stream, an answer that looks whole is whole", async (path, body, looksWhole) => {
    const words = (text: string) =>
      [...text.matchAll(/"delta":(?:"([^"]*)"|\{"type":"text_delta","text":"([^"]*)")/g)].map(([, one, two]) => one ?? two).join("");
    const usual = words((await outcomeOf(builtIn, path, body, 5_000)).text);
    expect(usual.split(" ").length).toBe(12);
    for (const { name } of ON_FRAMES) {
      const keys = /^(?:slow|split)/.test(name)
        ? { slow: "rate=500kb", slow_tokens: "ttft=1ms between=1ms", split_frames: "gap=0ms" }[name]
        : "";
      expect(await builtIn.command(`${name} side=upstream ${keys ?? ""}`)).toMatchObject({ status: 200 });
      const { text, status, end } = await outcomeOf(builtIn, path, body, 5_000);
      if (status !== 200) expect(text).toContain('"error"');
      else if (looksWhole.test(text)) expect([name, words(text), end]).toEqual([name, usual, "proper"]);
      else expect([name, /"type":"(?:error|response\.failed)"/.test(text)]).toEqual([name, true]);
    }
    await builtIn.command("clear");
  });
});
