import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { played, type RecordedBackend, recorded, startBackend, whole } from "./support/recorded-backend.ts";
import { openaiAt, startTranslating } from "./support/translating.ts";

const TEXT = "Grüße aus Zürich 👋 — 25 °C, sonnig.";
const MESSAGES = [{ role: "user" as const, content: "hello" }];
const PARAMETERS = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tool = (name: string) => ({ type: "function" as const, function: { name, parameters: PARAMETERS } });
const TOOLS = [tool("get_weather"), tool("get_time")];
const FORMAT = {
  type: "json_schema" as const,
  json_schema: {
    name: "forecast",
    strict: true,
    schema: {
      type: "object",
      properties: { city: { type: "string" }, degrees: { type: "number" } },
      required: ["city", "degrees"],
      additionalProperties: false,
    },
  },
};

type Chunk = OpenAI.ChatCompletionChunk;

async function chunksOf(stream: AsyncIterable<Chunk>): Promise<readonly Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const finishes = (chunks: readonly Chunk[]) => chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []);
const textOf = (chunks: readonly Chunk[]) => chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");

describe.each(ENGINES)("the OpenAI SDK asks in Chat Completions, the backend speaks Responses, with the %s engine", (engine) => {
  describe("the built-in backend", () => {
    let daemon: TestDaemon;
    let openai: OpenAI;
    beforeAll(async () => {
      daemon = await startTranslating(engine, ['endpoint = "simulated"', 'dialect = "responses"'], ["--tokens", "24"]);
      openai = openaiAt(daemon);
    });
    afterAll(() => daemon.stop());
    const ask = (more: object = {}) => openai.chat.completions.create({ model: "gpt-4o", messages: MESSAGES, ...more, stream: false });
    const askStream = (more: object = {}) => openai.chat.completions.create({ model: "gpt-4o", messages: MESSAGES, ...more, stream: true });

    test("a whole answer and a streamed one say the same", async () => {
      const answer = await ask();
      const chunks = await chunksOf(await askStream());
      expect(answer).toMatchObject({ object: "chat.completion", model: "gpt-4o", choices: [{ index: 0, finish_reason: "stop" }] });
      expect(answer.choices[0]?.message.content?.split(" ").length).toBe(24);
      expect(answer.usage).toMatchObject({ completion_tokens: 24 });
      expect(textOf(chunks)).toBe(answer.choices[0]?.message.content ?? "");
      expect(chunks[0]).toMatchObject({ object: "chat.completion.chunk", model: "gpt-4o", choices: [{ delta: { role: "assistant" } }] });
      expect(chunks.filter(({ choices }) => choices[0]?.delta.role !== undefined).length).toBe(1);
      expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
      expect(finishes(chunks)).toEqual(["stop"]);
      expect(Number.isInteger(answer.created)).toBe(true);
    });

    test("usage comes in a chunk of its own where it was asked for, and else not at all", async () => {
      const asked = await chunksOf(await askStream({ stream_options: { include_usage: true } }));
      expect(asked.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 24, total_tokens: expect.any(Number) } });
      expect(asked.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
      for (const more of [{}, { stream_options: { include_usage: false } }]) {
        const chunks = await chunksOf(await askStream(more));
        expect(chunks.every((chunk) => chunk.choices.length === 1 && !("usage" in chunk))).toBe(true);
      }
    });

    test("a tool is called, and its result goes back", async () => {
      const prompt = [{ role: "user", content: "Please call get_weather." }];
      const { choices } = await ask({ messages: prompt, tools: TOOLS });
      expect(choices[0]).toMatchObject({
        finish_reason: "tool_calls",
        message: { content: null, tool_calls: [{ type: "function", function: { name: "get_weather" } }] },
      });
      const [call] = choices[0]?.message.tool_calls ?? [];
      const chunks = await chunksOf(await askStream({ messages: prompt, tools: TOOLS }));
      expect(finishes(chunks)).toEqual(["tool_calls"]);
      const next = await ask({
        messages: [...prompt, choices[0]?.message, { role: "tool", tool_call_id: call?.id, content: "rain" }],
        tools: TOOLS,
      });
      expect(next.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: expect.any(String) } });
    });

    test("an answer in a JSON schema is parsed by the SDK", async () => {
      const { choices } = await openai.chat.completions.parse({ model: "gpt-4o", messages: MESSAGES, response_format: FORMAT });
      expect(choices[0]?.message.parsed as unknown).toEqual({ city: expect.any(String), degrees: expect.any(Number) });
      const chunks = await chunksOf(await askStream({ response_format: { type: "json_object" } }));
      expect(JSON.parse(textOf(chunks))).toBeObject();
    });

    test("a limit of tokens ends the answer", async () => {
      expect((await ask({ max_completion_tokens: 5 })).choices[0]).toMatchObject({ finish_reason: "length" });
      expect(finishes(await chunksOf(await askStream({ max_tokens: 5 })))).toEqual(["length"]);
    });

    test("the SDK's own collector of streams takes it", async () => {
      const runner = openai.chat.completions.stream({ model: "gpt-4o", messages: MESSAGES, stream_options: { include_usage: true } });
      const final = await runner.finalChatCompletion();
      expect(final).toMatchObject({ choices: [{ finish_reason: "stop" }], usage: { completion_tokens: 24 } });
    });
  });

  describe("a backend of recorded events", () => {
    let backend: RecordedBackend;
    let daemon: TestDaemon;
    let openai: OpenAI;
    beforeAll(async () => {
      backend = await startBackend();
      daemon = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "responses"']);
      openai = openaiAt(daemon);
    });
    afterAll(async () => {
      await daemon.stop();
      backend.stop();
    });
    const ask = (more: object = {}) => openai.chat.completions.create({ model: "gpt-5.1", messages: MESSAGES, ...more, stream: false });
    const askStream = (more: object = {}) =>
      openai.chat.completions.create({ model: "gpt-5.1", messages: MESSAGES, ...more, stream: true });

    const TEXT_USAGE = {
      prompt_tokens: 36,
      completion_tokens: 87,
      total_tokens: 123,
      prompt_tokens_details: { cached_tokens: 12 },
      completion_tokens_details: { reasoning_tokens: 64 },
    };

    test("a whole answer", async () => {
      backend.reply(whole(200, recorded("responses/text.json")));
      expect(await ask()).toMatchObject({
        id: expect.stringMatching(/^resp_/),
        object: "chat.completion",
        created: 1_763_388_000,
        model: "gpt-5.1",
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: TEXT, refusal: null } }],
        usage: TEXT_USAGE,
      });
      expect(backend.last()).toMatchObject({ method: "POST", target: "/v1/responses" });
      expect(backend.last().json).toMatchObject({ model: "gpt-5.1", store: false });
      expect(backend.last().header("authorization")).toBe("Bearer sk-test");
    });

    test.each([1, 7, 64, 100_000])("a stream in chunks of %d bytes", async (chunkBytes) => {
      backend.reply(played(recorded("responses/text.sse"), { chunkBytes }));
      const chunks = await chunksOf(await askStream({ stream_options: { include_usage: true } }));
      expect(textOf(chunks)).toBe(TEXT);
      expect(finishes(chunks)).toEqual(["stop"]);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: TEXT_USAGE });
      expect(backend.last().json).toMatchObject({ stream: true });
    });

    const CALLS = [
      ["get_weather", '{"city":"Zürich","units":"metric"}'],
      ["get_time", '{"city":"Paris"}'],
      ["get_weather", '{"city":"Oslo","units":"metric"}'],
    ] as const;

    test("parallel calls whose arguments come interleaved", async () => {
      backend.reply(played(recorded("responses/parallel-calls.sse"), { chunkBytes: 100 }));
      const runner = openai.chat.completions.stream({ model: "gpt-5.1", messages: MESSAGES, tools: TOOLS });
      const { choices } = await runner.finalChatCompletion();
      const calls = choices[0]?.message.tool_calls ?? [];
      expect(calls.map((call) => call.type === "function" && [call.function.name, call.function.arguments])).toEqual(
        CALLS.map((call) => [...call]),
      );
      expect(new Set(calls.map(({ id }) => id)).size).toBe(3);
      expect(calls.every(({ id }) => id.startsWith("call_"))).toBe(true);
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      backend.reply(whole(200, recorded("responses/parallel-calls.json")));
      expect((await ask({ tools: TOOLS })).choices[0]?.message.tool_calls).toEqual(
        calls.map((call) =>
          call.type === "function"
            ? { id: call.id, type: "function", function: { name: call.function.name, arguments: call.function.arguments } }
            : call,
        ),
      );
    });

    test("calls whose arguments come at their end alone", async () => {
      backend.reply(played(recorded("responses/done-only.sse")));
      const { choices } = await openai.chat.completions
        .stream({ model: "gpt-5.1", messages: MESSAGES, tools: TOOLS })
        .finalChatCompletion();
      expect(choices[0]).toMatchObject({
        finish_reason: "tool_calls",
        message: {
          tool_calls: [
            { function: { name: "get_weather", arguments: '{"city":"Zürich"}' } },
            { function: { name: "get_time", arguments: '{"city":"Paris"}' } },
          ],
        },
      });
    });

    test("a JSON schema, whole and streamed", async () => {
      backend.reply(whole(200, recorded("responses/structured.json")));
      const asked = { model: "gpt-5.1", messages: MESSAGES, response_format: FORMAT };
      const { choices } = await openai.chat.completions.parse(asked);
      expect(choices[0]?.message.parsed as unknown).toEqual({ city: "Zürich", degrees: 25 });
      expect(backend.last().json.text).toEqual({ format: { type: "json_schema", ...FORMAT.json_schema } });
      backend.reply(played(recorded("responses/structured.sse")));
      const final = await openai.chat.completions.stream(asked).finalChatCompletion();
      expect(final.choices[0]?.message.parsed as unknown).toEqual({ city: "Zürich", degrees: 25 });
    });

    test("a refusal", async () => {
      backend.reply(played(recorded("responses/refusal.sse")));
      const { choices } = await openai.chat.completions.stream({ model: "gpt-5.1", messages: MESSAGES }).finalChatCompletion();
      expect(choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { content: null, refusal: "I'm sorry, but I can't help with that." },
      });
    });

    test.each([
      ["max-output-tokens", "length"],
      ["content-filter", "content_filter"],
    ] as const)("response.incomplete for %s ends with %s", async (name, finish) => {
      backend.reply(played(recorded(`responses/incomplete-${name}.sse`)));
      const chunks = await chunksOf(await askStream());
      expect(textOf(chunks)).toBe("It was a dark");
      expect(finishes(chunks)).toEqual([finish]);
    });

    test("a server's tools between the items, members of its own and a [DONE] behind the end", async () => {
      backend.reply(played(recorded("responses/lightspeed.sse"), { chunkBytes: 50 }));
      const chunks = await chunksOf(await askStream({ stream_options: { include_usage: true } }));
      expect(textOf(chunks)).toBe("Run `systemctl restart httpd` as root.");
      expect(finishes(chunks)).toEqual(["stop"]);
      expect(chunks.at(-1)).toMatchObject({ usage: { prompt_tokens: 412, completion_tokens: 21 } });
    });

    test("connections to the backend are kept", async () => {
      const before = backend.connections();
      for (let index = 0; index < 20; index++) {
        backend.reply(index % 2 === 0 ? whole(200, recorded("responses/text.json")) : played(recorded("responses/text.sse")));
        if (index % 2 === 0) await ask();
        else await chunksOf(await askStream());
      }
      expect(backend.connections() - before).toBeLessThanOrEqual(1);
    });
  });
});
