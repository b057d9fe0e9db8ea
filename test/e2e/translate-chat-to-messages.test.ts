import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { DIALECTS } from "../../src/dialects/index.ts";
import { SSE } from "../../src/stream/sse.ts";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { outcomeOf } from "./support/outcome.ts";
import { played, type RecordedBackend, startBackend, whole } from "./support/recorded-backend.ts";
import { CHAT_PATH, openaiAt, post, startTranslating, thrownBy } from "./support/translating.ts";

const MESSAGES = [{ role: "user" as const, content: "hello" }];
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tool = (name: string) => ({ type: "function" as const, function: { name, parameters: SCHEMA } });
const TOOLS = [tool("get_weather"), tool("get_time")];
const FORMAT = { type: "json_schema" as const, json_schema: { name: "place", strict: true, schema: SCHEMA } };
const TEXT = "Grüße aus Zürich 👋";

const ANSWER = {
  text: ["Grüße aus", " Zürich 👋"],
  refusal: undefined,
  toolCalls: [
    { id: "1", name: "get_weather", argumentsText: '{"city":"Zürich"}' },
    { id: "2", name: "get_time", argumentsText: '{"city":"Paris"}' },
  ],
  finish: "tool_calls" as const,
  inputTokens: 19,
  outputTokens: 10,
};
const ENVELOPE = { id: "a", model: "claude-answering", createdSeconds: 1_760_000_000 };
const FRAMES = DIALECTS.messages.frames(ANSWER, ENVELOPE, { usageInStream: true });
const streamOf = (frames: typeof FRAMES) => Buffer.concat(frames.map(({ event, data }, index) => SSE.render(event, data, index)));
const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 };

async function chunksOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<readonly OpenAI.ChatCompletionChunk[]> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const finishes = (chunks: readonly OpenAI.ChatCompletionChunk[]) => chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []);
const textOf = (chunks: readonly OpenAI.ChatCompletionChunk[]) => chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");

describe.each(ENGINES)("the OpenAI SDK before a target that speaks Anthropic Messages, with the %s engine", (engine) => {
  describe("the built-in target", () => {
    let daemon: TestDaemon;
    let openai: OpenAI;
    beforeAll(async () => {
      daemon = await startTranslating(engine, ['endpoint = "simulated"', 'dialect = "messages"'], ["--tokens", "24"]);
      openai = openaiAt(daemon);
    });
    afterAll(() => daemon.stop());
    const model = "claude-sonnet-4-5";
    const ask = (more: object = {}) => openai.chat.completions.create({ model, messages: MESSAGES, ...more, stream: false });
    const askStream = (more: object = {}) => openai.chat.completions.create({ model, messages: MESSAGES, ...more, stream: true });

    test("a whole answer and a streamed one say the same", async () => {
      const answer = await ask();
      const chunks = await chunksOf(await askStream({ stream_options: { include_usage: true } }));
      expect(answer).toMatchObject({ object: "chat.completion", model, choices: [{ index: 0, finish_reason: "stop" }] });
      expect(answer.choices[0]?.message.content?.split(" ").length).toBe(24);
      expect(answer.usage).toMatchObject({ completion_tokens: 24 });
      expect(textOf(chunks)).toBe(answer.choices[0]?.message.content ?? "");
      expect(chunks.filter(({ choices }) => choices[0]?.delta.role !== undefined).length).toBe(1);
      expect(finishes(chunks)).toEqual(["stop"]);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 24 } });
    });

    test("a tool is called, and its result goes back", async () => {
      const prompt = [{ role: "user", content: "Please call get_weather." }];
      const { choices } = await ask({ messages: prompt, tools: TOOLS });
      expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { tool_calls: [{ function: { name: "get_weather" } }] } });
      const [call] = choices[0]?.message.tool_calls ?? [];
      const next = await ask({
        messages: [...prompt, choices[0]?.message, { role: "tool", tool_call_id: call?.id, content: "rain" }],
        tools: TOOLS,
      });
      expect(next.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: expect.any(String) } });
    });

    test("an answer in a JSON schema is parsed by the SDK", async () => {
      const { choices } = await openai.chat.completions.parse({ model, messages: MESSAGES, response_format: FORMAT });
      expect(choices[0]?.message.parsed as unknown).toEqual({ city: expect.any(String) });
    });

    test("a limit of tokens ends the answer", async () => {
      expect((await ask({ max_completion_tokens: 5 })).choices[0]).toMatchObject({ finish_reason: "length" });
      expect(finishes(await chunksOf(await askStream({ max_tokens: 5 })))).toEqual(["length"]);
    });

    test("a client of Responses is answered too", async () => {
      const response = await openai.responses.create({ model, input: "hello" });
      expect(response).toMatchObject({ status: "completed", usage: { output_tokens: 24 } });
      const streamed = await openai.responses.stream({ model, input: "hello" }).finalResponse();
      expect(streamed.output_text).toBe(response.output_text);
    });

    test("faults of the target are told in the client's dialect", async () => {
      await daemon.command("r side=upstream");
      expect(await thrownBy(ask())).toMatchObject({ status: 429, error: { message: expect.any(String), type: expect.any(String) } });
      await daemon.command("error_event side=upstream");
      expect(await thrownBy(askStream().then(chunksOf))).toMatchObject({ error: { type: expect.stringMatching(/_error$/) } });
      await daemon.command("clear");
    });
  });

  describe("a target of the test's own", () => {
    let backend: RecordedBackend;
    let daemon: TestDaemon;
    let openai: OpenAI;
    beforeAll(async () => {
      backend = await startBackend();
      daemon = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "messages"', 'model = "claude-opus-4-6"']);
      openai = openaiAt(daemon);
    });
    afterAll(async () => {
      await daemon.stop();
      backend.stop();
    });
    const ask = (more: object = {}) => openai.chat.completions.create({ model: "gpt-5.1", messages: MESSAGES, ...more, stream: false });
    const askStream = (more: object = {}) =>
      openai.chat.completions.create({ model: "gpt-5.1", messages: MESSAGES, ...more, stream: true });

    test("the request: its path, its head, its body; what is left out is named", async () => {
      backend.reply(whole(200, DIALECTS.messages.whole(ANSWER, ENVELOPE)));
      const asked = {
        model: "gpt-5.1",
        messages: [{ role: "developer", content: "Be brief." }, ...MESSAGES],
        tools: TOOLS,
        tool_choice: "required",
        parallel_tool_calls: false,
        reasoning_effort: "low",
        stop: ["END"],
        seed: 1,
        temperature: 2,
      };
      const answer = await post(daemon, CHAT_PATH, asked, { "openai-organization": "org-1" });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("x-faultproxy-dropped-parameters")).toBe("seed, temperature");
      const { method, target, header, json } = backend.last();
      expect([method, target]).toEqual(["POST", "/v1/messages"]);
      expect([header("x-api-key"), header("authorization"), header("anthropic-version"), header("openai-organization")]).toEqual([
        "sk-test",
        undefined,
        "2023-06-01",
        undefined,
      ]);
      expect(json).toEqual({
        model: "claude-opus-4-6",
        max_tokens: 32_000,
        system: "Be brief.",
        messages: MESSAGES,
        tools: ["get_weather", "get_time"].map((name) => ({ name, input_schema: SCHEMA })),
        tool_choice: { type: "any", disable_parallel_tool_use: true },
        stop_sequences: ["END"],
        temperature: 1,
        output_config: { effort: "low" },
      });
    });

    test("a whole answer says who gave it", async () => {
      backend.reply(whole(200, DIALECTS.messages.whole(ANSWER, ENVELOPE)));
      expect(await ask({ tools: TOOLS })).toMatchObject({
        id: "msg_a",
        model: "claude-answering",
        choices: [
          {
            finish_reason: "tool_calls",
            message: {
              content: TEXT,
              tool_calls: ANSWER.toolCalls.map(({ id, name, argumentsText }) => ({
                id: `toolu_${id}`,
                type: "function",
                function: { name, arguments: argumentsText },
              })),
            },
          },
        ],
        usage: USAGE,
      });
    });

    test.each([1, 7, 64, 100_000])("a stream in chunks of %d bytes", async (chunkBytes) => {
      backend.reply(played(streamOf(FRAMES), { chunkBytes }));
      const runner = openai.chat.completions.stream({
        model: "gpt-5.1",
        messages: MESSAGES,
        tools: TOOLS,
        stream_options: { include_usage: true },
      });
      const { choices, usage } = await runner.finalChatCompletion();
      expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: TEXT } });
      expect(choices[0]?.message.tool_calls?.map((call) => call.type === "function" && call.function.arguments)).toEqual(
        ANSWER.toolCalls.map(({ argumentsText }) => argumentsText),
      );
      expect(usage).toMatchObject(USAGE);
      expect(backend.last().json).toMatchObject({ stream: true });
    });

    test("a whole answer where a stream was asked for", async () => {
      backend.reply(whole(200, DIALECTS.messages.whole(ANSWER, ENVELOPE)));
      const chunks = await chunksOf(await askStream({ tools: TOOLS }));
      expect([textOf(chunks), finishes(chunks)]).toEqual([TEXT, ["tool_calls"]]);
    });

    const CUT = streamOf(FRAMES.slice(0, 5));
    const OVERLOADED = Buffer.from(
      'event: error\ndata: {"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}\n\n',
    );
    test.each([
      ["an error event", Buffer.concat([CUT, OVERLOADED]), "proper", "Overloaded"],
      ["a stream that is cut", CUT, "rst", "ended before the answer was complete"],
      ["a stream that ends early", CUT, "proper", "ended before the answer was complete"],
    ] as const)("%s is an error chunk, without a reason and without [DONE]", async (_title, bytes, end, message) => {
      backend.reply(played(bytes, { end, until: Bun.sleep(20) }));
      const { status, text } = await outcomeOf(daemon, CHAT_PATH, { model: "m", messages: MESSAGES, stream: true }, 5_000);
      expect(status).toBe(200);
      expect(text.split("\n\n").at(-2)).toStartWith('data: {"error":{"message":"');
      expect(text).toContain(message);
      expect(text).not.toContain("[DONE]");
      expect(text).not.toMatch(/"finish_reason":"/);
    });

    test("an error keeps its status and its words, in OpenAI's shape", async () => {
      const said = { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" };
      backend.reply(whole(529, JSON.stringify(said), { "content-type": "application/json", "retry-after": "7" }));
      const answer = await post(daemon, CHAT_PATH, { model: "m", messages: MESSAGES });
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([529, "7"]);
      expect(answer.json()).toEqual({ error: { message: "Overloaded", type: "overloaded_error", param: null, code: null } });
    });

    test("a mistake is told by its place, and nothing is asked", async () => {
      const before = backend.requests.length;
      const error = await thrownBy(ask({ messages: [{ role: "tool", tool_call_id: "x", content: "1" }] }));
      expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param: "messages.[0].role" });
      expect(backend.requests.length).toBe(before);
    });
  });
});

test("a client of OpenAI's before Anthropic, which another proxy stands for", async () => {
  const anthropic = await startTranslating("wire", ['endpoint = "simulated"']);
  const openai = await startTranslating("wire", [`endpoint = "${anthropic.origin}/v1"`, 'dialect = "messages"']);
  try {
    const answer = await openaiAt(openai).chat.completions.create({ model: "claude-sonnet-4-5", messages: MESSAGES });
    expect(answer).toMatchObject({ id: expect.stringMatching(/^msg_/), choices: [{ finish_reason: "stop" }] });
  } finally {
    await Promise.all([openai.stop(), anthropic.stop()]);
  }
});
