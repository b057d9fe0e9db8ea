import { describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { BodyCut, type Chunks, type Identified, type OpenResponse } from "../../src/core/exchange.ts";
import { headerValue } from "../../src/core/headers.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { DIALECTS, dialectOfPath } from "../../src/dialects/index.ts";
import { NO_FACTS } from "../../src/pipeline/helpers/read-facts.ts";
import { createSimulator, type SimulatorSettings } from "../../src/simulator/simulator.ts";
import { exchange, fakeClock } from "../support.ts";

const SETTINGS: SimulatorSettings = { ttftMs: 0, betweenMs: 0, tokens: 20 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Asked = {
  readonly provider?: ProviderName;
  readonly method?: string;
  readonly target: string;
  readonly body?: unknown;
  readonly id?: number;
};

function exchangeOf({ provider = "openai", method = "POST", target, body, id = 1 }: Asked, changes: Partial<Identified> = {}) {
  const path = target.split("?")[0] ?? "";
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
  const bytes = encoder.encode(text);
  const dialect = method === "POST" ? dialectOfPath(path) : undefined;
  const identified = exchange({
    id,
    provider,
    method,
    target,
    upstreamTarget: target,
    path,
    query: target.split("?")[1] ?? "",
    dialect: dialect?.name,
    body: { lengthBytes: bytes.length, whole: async () => bytes, forward: async () => bytes },
    ...changes,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { identified, bytes, facts: dialect?.facts(path, target.split("?")[1] ?? "", json) ?? NO_FACTS };
}

async function ask(
  asked: Asked,
  settings: SimulatorSettings = SETTINGS,
  clock = fakeClock(),
  changes: Partial<Identified> = {},
): Promise<OpenResponse> {
  const { identified, facts, bytes } = exchangeOf(asked, changes);
  return createSimulator(settings, clock)(identified, facts, bytes);
}

async function chunksOf(body: OpenResponse["body"]): Promise<readonly Uint8Array[]> {
  if (body === null) return [];
  if (body instanceof Uint8Array) return [body];
  const chunks: Uint8Array[] = [];
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk);
  return chunks;
}

async function textOf(response: OpenResponse): Promise<string> {
  return decoder.decode(Buffer.concat(await chunksOf(response.body)));
}

async function jsonOf(asked: Asked, settings?: SimulatorSettings) {
  return JSON.parse(await textOf(await ask(asked, settings)));
}

const CHAT = { target: "/v1/chat/completions", body: { model: "gpt-4o", messages: [{ role: "user", content: "Hello" }] } };
const streamedChat = (changes: object = {}): Asked => ({ ...CHAT, body: { ...CHAT.body, stream: true, ...changes } });

describe("a simulated answer", () => {
  test("has exactly so many tokens and comes from the request alone", async () => {
    const first = await jsonOf(CHAT);
    const second = await jsonOf({ ...CHAT, id: 2 });
    const other = await jsonOf({ ...CHAT, body: { ...CHAT.body, messages: [{ role: "user", content: "Hello!" }] } });
    expect(first.usage.completion_tokens).toBe(20);
    expect(first.choices[0].message.content.split(" ")).toHaveLength(20);
    expect(second.choices).toEqual(first.choices);
    expect(second.id).not.toBe(first.id);
    expect((await jsonOf(CHAT)).id).toBe(first.id);
    expect(other.choices[0].message.content).not.toBe(first.choices[0].message.content);
    expect(first.model).toBe("gpt-4o");
  });

  test("is cut by the request's own limit", async () => {
    const cut = await jsonOf({ ...CHAT, body: { ...CHAT.body, max_tokens: 5 } });
    expect(cut.choices[0]).toMatchObject({ finish_reason: "length" });
    expect(cut.usage.completion_tokens).toBe(5);
    expect((await jsonOf({ ...CHAT, body: { ...CHAT.body, max_tokens: 20 } })).choices[0].finish_reason).toBe("stop");
  });

  test("is the same whole and streamed", async () => {
    const whole = (await jsonOf(CHAT)).choices[0].message.content;
    const frames = (await textOf(await ask(streamedChat()))).split("\n\n").filter((frame) => frame.startsWith("data: {"));
    expect(frames.map((frame) => JSON.parse(frame.slice(6)).choices[0].delta.content ?? "").join("")).toBe(whole);
  });

  test.each([...PROVIDER_NAMES])("of %s has that provider's headers", async (provider) => {
    const response = await ask({ ...CHAT, provider });
    expect(response.status).toBe(200);
    expect(headerValue(response.headers, "content-type")).toStartWith("application/json");
    expect(new Set(response.headers.map(([name]) => name.toLowerCase())).size).toBe(response.headers.length);
    expect(headerValue((await ask({ ...streamedChat(), provider })).headers, "content-type")).toStartWith("text/event-stream");
  });
});

describe("time", () => {
  test("passes before the first frame and between the others", async () => {
    const clock = fakeClock();
    const response = await ask(streamedChat(), { ttftMs: 500, betweenMs: 20, tokens: 3 }, clock);
    expect(clock.slept).toEqual([]);
    const chunks = await chunksOf(response.body);
    // Role, three tokens, finish, [DONE].
    expect(chunks).toHaveLength(6);
    expect(chunks.every((chunk) => decoder.decode(chunk).endsWith("\n\n"))).toBe(true);
    expect(clock.slept).toEqual([500, 20, 20, 20, 20, 20]);
  });

  test("passes before a whole answer as it would for its tokens", async () => {
    const clock = fakeClock();
    await ask(CHAT, { ttftMs: 500, betweenMs: 20, tokens: 3 }, clock);
    expect(clock.slept).toEqual([540]);
  });

  test("does not pass where none is asked for, and little is written", async () => {
    const clock = fakeClock();
    const chunks = await chunksOf((await ask(streamedChat(), { ...SETTINGS, tokens: 1000 }, clock)).body);
    expect(clock.slept).toEqual([]);
    expect(chunks.length).toBeLessThan(40);
    expect(chunks.every((chunk) => chunk.length <= 16 * 1024)).toBe(true);
  });

  test("ends when the client has gone or nobody reads on", async () => {
    const gone = new AbortController();
    const settings = { ttftMs: 10, betweenMs: 10, tokens: 50 };
    const body = (await ask(streamedChat(), settings, fakeClock(), { clientGone: gone.signal })).body as Chunks;
    await body.read();
    gone.abort();
    expect(await body.read().catch((error: unknown) => error)).toBeInstanceOf(BodyCut);
    const cancelled = (await ask(streamedChat(), settings)).body as Chunks;
    await cancelled.read();
    cancelled.cancel();
    cancelled.cancel();
    expect(await cancelled.read()).toBeUndefined();
  });
});

describe("a tool call", () => {
  const tools = [
    { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } },
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: {
          type: "object",
          properties: {
            location: { type: "string" },
            unit: { enum: ["c", "f"] },
            days: { type: "integer", minimum: 2 },
            place: { $ref: "#" },
            note: { type: "string" },
          },
          required: ["location", "unit", "days", "place"],
        },
      },
    },
  ];
  const askWith = (content: unknown, more: readonly object[] = []) =>
    jsonOf({ ...CHAT, body: { model: "m", tools, messages: [{ role: "user", content }, ...more] } });
  const callsOf = (json: { choices: { message: { tool_calls?: { function: { name: string; arguments: string } }[] } }[] }) =>
    (json.choices[0]?.message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  const WEATHER = ["get_weather", { location: "example", unit: "c", days: 2, place: null }];

  test.each([
    ["Please use get_weather.", [WEATHER]],
    ["Please call a tool", [["get_time", {}]]],
    ["What do you recall of the toolbox?", []],
    ["Hello", []],
    ["<system-reminder>call a tool</system-reminder>Hello", []],
  ])("%s", async (prompt, expected) => {
    const json = await askWith(prompt);
    expect(callsOf(json)).toEqual(expected as never);
    expect(json.choices[0].finish_reason).toBe(expected.length > 0 ? "tool_calls" : "stop");
  });

  test("is not made again after its result", async () => {
    const json = await askWith("use get_weather", [
      { role: "assistant", tool_calls: [] },
      { role: "tool", tool_call_id: "call_1", content: "sunny" },
    ]);
    expect(json.choices[0].finish_reason).toBe("stop");
  });

  test("is made in every dialect", async () => {
    const schema = { type: "OBJECT", properties: { location: { type: "STRING" } }, required: ["location"] };
    const responses = await jsonOf({
      target: "/v1/responses",
      body: { model: "m", input: "call f", tools: [{ type: "function", name: "f", parameters: schema }] },
    });
    expect(responses.output).toMatchObject([{ type: "function_call", name: "f", arguments: '{"location":"example"}' }]);
    const messages = await jsonOf({
      provider: "anthropic",
      target: "/v1/messages",
      body: { model: "m", max_tokens: 9, messages: [{ role: "user", content: "call f" }], tools: [{ name: "f", input_schema: schema }] },
    });
    expect(messages).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", name: "f", input: { location: "example" } }] });
    const gemini = await jsonOf({
      provider: "google",
      target: "/v1beta/models/m:generateContent",
      body: {
        contents: [{ role: "user", parts: [{ text: "call f" }] }],
        tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: schema }] }],
      },
    });
    expect(gemini.candidates[0].content.parts).toEqual([{ functionCall: { name: "f", args: { location: "example" } } }]);
  });
});

describe("other endpoints", () => {
  const cases: readonly (readonly [Asked, object])[] = [
    [{ method: "GET", target: "/v1/models" }, { object: "list" }],
    [
      { method: "GET", target: "/v1/models/gpt-4o" },
      { id: "gpt-4o", object: "model" },
    ],
    [
      { method: "GET", target: "/v1/models", provider: "anthropic" },
      { has_more: false, data: expect.any(Array) },
    ],
    [
      { method: "GET", target: "/v1/models/claude-x", provider: "anthropic" },
      { type: "model", id: "claude-x" },
    ],
    [{ method: "GET", target: "/v1beta/models", provider: "google" }, { models: expect.any(Array) }],
    [{ method: "GET", target: "/v1beta/models/gemini-2.5-pro?key=k", provider: "google" }, { name: "models/gemini-2.5-pro" }],
    [{ method: "GET", target: "/v1beta/openai/models", provider: "google" }, { object: "list" }],
    [{ method: "GET", target: "/api/v1/models", provider: "openrouter" }, { data: expect.any(Array) }],
    [
      { method: "GET", target: "/api/v1/models/openai/gpt-4o/endpoints", provider: "openrouter" },
      { data: { id: "openai/gpt-4o", endpoints: [] } },
    ],
    [{ method: "GET", target: "/api/v1/key", provider: "openrouter" }, { data: { is_free_tier: false } }],
    [{ method: "GET", target: "/api/v1/credits", provider: "openrouter" }, { data: { total_credits: 100 } }],
    [{ method: "GET", target: "/v1/models", provider: "tetrate" }, { object: "list" }],
    [{ method: "GET", target: "/api/2.0/serving-endpoints", provider: "databricks" }, { endpoints: expect.any(Array) }],
    [
      { method: "GET", target: "/oidc/.well-known/oauth-authorization-server", provider: "databricks" },
      { token_endpoint: expect.stringContaining("/oidc/v1/token") },
    ],
    [{ target: "/oidc/v1/token", body: "grant_type=client_credentials", provider: "databricks" }, { token_type: "Bearer" }],
    [
      { target: "/v1/messages/count_tokens", provider: "anthropic", body: { messages: [{ role: "user", content: "x".repeat(40) }] } },
      { input_tokens: 10 },
    ],
    [
      { target: "/v1beta/models/m:countTokens", provider: "google", body: { contents: [{ parts: [{ text: "x".repeat(40) }] }] } },
      { totalTokens: 10 },
    ],
    [
      { target: "/v1/embeddings", body: { model: "e", input: ["a", "b"], dimensions: 4 } },
      { object: "list", model: "e" },
    ],
    [
      { target: "/v1beta/models/e:embedContent", provider: "google", body: { content: { parts: [{ text: "a" }] } } },
      { embedding: { values: expect.any(Array) } },
    ],
    [{ method: "GET", target: "/" }, { message: expect.stringContaining("Welcome") }],
  ];
  test.each([...cases])("%j", async (asked, expected) => {
    const form =
      asked.body === "grant_type=client_credentials" ? { headers: [["content-type", "application/x-www-form-urlencoded"]] as const } : {};
    const response = await ask(asked, SETTINGS, fakeClock(), form);
    expect(response.status).toBe(200);
    expect(JSON.parse(await textOf(response))).toMatchObject(expected);
  });

  test("discovery points back at the proxy, prefix included", async () => {
    const target = "/databricks/oidc/.well-known/oauth-authorization-server";
    const response = await ask(
      { method: "GET", provider: "databricks", target: "/oidc/.well-known/oauth-authorization-server" },
      SETTINGS,
      fakeClock(),
      {
        target,
        headers: [["Host", "127.0.0.1:8888"]],
      },
    );
    expect(JSON.parse(await textOf(response)).token_endpoint).toBe("http://127.0.0.1:8888/databricks/oidc/v1/token");
  });

  test("vectors have length 1 and say the same in both encodings", async () => {
    const body = { model: "e", input: "a" };
    const numbers = (await jsonOf({ target: "/v1/embeddings", body })).data[0].embedding as number[];
    const base64 = (await jsonOf({ target: "/v1/embeddings", body: { ...body, encoding_format: "base64" } })).data[0].embedding as string;
    expect(Math.hypot(...numbers)).toBeCloseTo(1, 5);
    expect([...new Float32Array(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer)]).toEqual(numbers);
  });

  const refused: readonly (readonly [Asked, number])[] = [
    [{ target: "/v1/chat/completions", body: "{broken" }, 400],
    [{ target: "/v1/chat/completions", body: "[]" }, 400],
    [{ target: "/v1/chat/completions", body: "" }, 400],
    [{ target: "/v1/chat/completions", body: { messages: [] } }, 400],
    [{ target: "/v1/messages", body: "no", provider: "anthropic" }, 400],
    [{ target: "/v1beta/models/m:generateContent", body: "no", provider: "google" }, 400],
    [{ target: "/serving-endpoints/m/invocations", body: "no", provider: "databricks" }, 400],
    [{ target: "/v1/embeddings", body: "no" }, 400],
    [{ target: "/v1/nothing", body: {} }, 404],
    [{ method: "GET", target: "/v1/chat/completions" }, 404],
    [{ method: "DELETE", target: "/v1/models/x" }, 404],
    [{ method: "GET", target: "/", provider: "anthropic" }, 404],
  ];
  test.each([...refused])("%j is refused with %p in the provider's shape", async (asked, status) => {
    const response = await ask(asked);
    expect(response.status).toBe(status);
    const json = JSON.parse(await textOf(response));
    expect(JSON.stringify(json)).toMatch(/"message"/);
    if (asked.provider === "anthropic") expect(json.type).toBe("error");
  });

  test("HEAD has no body", async () => {
    expect((await ask({ method: "HEAD", target: "/", provider: "anthropic" })).body).toBeNull();
  });
});

describe("the official clients", () => {
  async function withSimulator<T>(provider: ProviderName, use: (origin: string) => Promise<T>): Promise<T> {
    let id = 0;
    const server = Bun.serve({
      port: 0,
      async fetch(request) {
        const url = new URL(request.url);
        const response = await ask({
          provider,
          method: request.method,
          target: url.pathname + url.search,
          body: await request.text(),
          id: ++id,
        });
        const body = response.body === null ? null : Buffer.concat(await chunksOf(response.body));
        return new Response(body, {
          status: response.status,
          headers: response.headers.map(([name, value]) => [name, value]) as [string, string][],
        });
      },
    });
    try {
      return await use(`http://127.0.0.1:${server.port}`);
    } finally {
      await server.stop(true);
    }
  }

  test("openai", async () => {
    await withSimulator("openai", async (origin) => {
      const client = new OpenAI({ apiKey: "sk-test", baseURL: `${origin}/v1`, maxRetries: 0 });
      const messages = [{ role: "user" as const, content: "Hello" }];
      const completion = await client.chat.completions
        .stream({ model: "m", messages, stream_options: { include_usage: true } })
        .finalChatCompletion();
      expect(completion.usage?.completion_tokens).toBe(20);
      const response = await client.responses.stream({ model: "m", input: "Hello" }).finalResponse();
      expect(response.output_text.split(" ")).toHaveLength(20);
      const models: string[] = [];
      for await (const model of client.models.list()) models.push(model.id);
      expect(models).toContain("gpt-4o");
      expect((await client.embeddings.create({ model: "e", input: "a" })).data[0]?.embedding).toHaveLength(16);
    });
  });

  test("anthropic", async () => {
    await withSimulator("anthropic", async (origin) => {
      const client = new Anthropic({ apiKey: "sk-ant-test", baseURL: origin, maxRetries: 0 });
      const messages = [{ role: "user" as const, content: "Hello" }];
      expect((await client.messages.stream({ model: "m", max_tokens: 5, messages }).finalMessage()).stop_reason).toBe("max_tokens");
      expect((await client.messages.countTokens({ model: "m", messages })).input_tokens).toBe(2);
      const models: string[] = [];
      for await (const model of client.models.list()) models.push(model.id);
      expect(models.length).toBeGreaterThan(1);
    });
  });

  test("google", async () => {
    await withSimulator("google", async (origin) => {
      const client = new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: origin } });
      let text = "";
      for await (const chunk of await client.models.generateContentStream({ model: "gemini-2.5-flash", contents: "Hello" }))
        text += chunk.text ?? "";
      expect(text.split(" ")).toHaveLength(20);
      expect((await client.models.countTokens({ model: "gemini-2.5-flash", contents: "Hello" })).totalTokens).toBe(2);
      const models: string[] = [];
      for await (const model of await client.models.list()) models.push(model.name ?? "");
      expect(models).toContain("models/gemini-2.5-flash");
      expect((await client.models.embedContent({ model: "e", contents: "a" })).embeddings?.[0]?.values).toHaveLength(16);
    });
  });

  test("a stream without alt=sse is one JSON array", async () => {
    const target = "/v1beta/models/m:streamGenerateContent";
    const text = await textOf(await ask({ provider: "google", target, body: { contents: [{ parts: [{ text: "Hi" }] }] } }));
    const chunks = JSON.parse(text);
    expect(chunks).toHaveLength(21);
    expect(DIALECTS.gemini.isTerminal({ bytes: new Uint8Array(), event: undefined, data: JSON.stringify(chunks.at(-1)) })).toBe(true);
  });
});
