import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { GoogleGenAI } from "@google/genai";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, request } from "./support/raw-client.ts";
import { type RecordedBackend, recorded, startBackend, whole } from "./support/recorded-backend.ts";
import { CHAT_PATH, openaiAt, post, startTranslating, thrownBy } from "./support/translating.ts";

const HELLO = { role: "user", content: "hello" };
const ASKED = { model: "gpt-5.1", messages: [HELLO] };
const MiB = 1024 * 1024;

type OpenAiError = { readonly error: { message: string; type: string; param: string | null; code: string | null } };

describe.each(ENGINES)("what a backend is asked, with the %s engine", (engine) => {
  let backend: RecordedBackend;
  const daemons: TestDaemon[] = [];
  let daemon: TestDaemon;
  const start = async (...settings: readonly string[]) => {
    const started = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, ...settings]);
    daemons.push(started);
    return started;
  };
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await start('dialect = "responses"');
  });
  beforeEach(() => backend.reply(whole(200, recorded("responses/text.json"))));
  afterAll(async () => {
    await Promise.all(daemons.map((started) => started.stop()));
    backend.stop();
  });

  test("the whole of a request in the other dialect", async () => {
    const tools = [{ type: "function", function: { name: "get_weather", description: "d", parameters: { type: "object" }, strict: true } }];
    const { status } = await post(daemon, `${CHAT_PATH}?trace=1`, {
      model: "gpt-5.1",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: "https://x.example/a.png", detail: "low" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "call_1", content: "rain" },
      ],
      tools,
      tool_choice: { type: "function", function: { name: "get_weather" } },
      temperature: 0,
      max_completion_tokens: 100,
      reasoning_effort: "low",
      parallel_tool_calls: false,
    });
    expect(status).toBe(200);
    const { method, target, json, header } = backend.last();
    expect({ method, target }).toEqual({ method: "POST", target: "/v1/responses?trace=1" });
    expect(json).toEqual({
      model: "gpt-5.1",
      input: [
        { type: "message", role: "system", content: [{ type: "input_text", text: "Be brief." }] },
        {
          type: "message",
          role: "user",
          content: [
            { type: "input_text", text: "What is this?" },
            { type: "input_image", image_url: "https://x.example/a.png", detail: "low" },
          ],
        },
        { type: "function_call", call_id: "call_1", name: "get_weather", arguments: "{}" },
        { type: "function_call_output", call_id: "call_1", output: "rain" },
      ],
      tools: [{ type: "function", name: "get_weather", description: "d", parameters: { type: "object" }, strict: true }],
      tool_choice: { type: "function", name: "get_weather" },
      temperature: 0,
      max_output_tokens: 100,
      reasoning: { effort: "low" },
      parallel_tool_calls: false,
      store: false,
    });
    expect(header("authorization")).toBe("Bearer sk-test");
    expect(header("content-type")).toBe("application/json");
    expect(header("accept-encoding")).toBe("identity");
  });

  test("a compressed body is read, and goes on as it is meant", async () => {
    const { status } = await post(daemon, CHAT_PATH, gzipSync(JSON.stringify(ASKED)), { "content-encoding": "gzip" });
    expect(status).toBe(200);
    expect(backend.last().header("content-encoding")).toBeUndefined();
    expect(backend.last().json).toMatchObject({ input: [{ role: "user" }] });
    const broken = await post(daemon, CHAT_PATH, new Uint8Array([31, 139, 8, 0, 1, 2, 3]), { "content-encoding": "gzip" });
    expect(broken.status).toBe(413);
    expect(broken.json()).toMatchObject({ error: { message: expect.stringContaining("content coding is broken") } });
  });

  test("a body in chunks goes on with its length", async () => {
    const body = JSON.stringify(ASKED);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const head = request("POST", CHAT_PATH, { "transfer-encoding": "chunked" }).replace(/content-length: 0\r\n/, "");
    expect(await raw(daemon.port, head + chunk, { until: complete })).toMatchObject({ status: 200 });
    const { header, json } = backend.last();
    expect(json).toMatchObject({ input: [{ role: "user" }] });
    expect(header("transfer-encoding")).toBeUndefined();
    expect(header("content-length")).toBe(String(backend.last().body.length));
  });

  test.each([
    ["/chat/completions", "/v1/responses"],
    ["/v1/chat/completions/", "/v1/responses"],
    ["/openai/v1/chat/completions", "/v1/responses"],
    ["/v1beta/openai/chat/completions", "/v1/responses"],
    ["/openai/deployments/gpt-4o/chat/completions?api-version=1", "/v1/deployments/gpt-4o/responses?api-version=1"],
  ])("%s is asked for at %s", async (path, target) => {
    expect((await post(daemon, path, ASKED)).status).toBe(200);
    expect(backend.last().target).toBe(target);
  });

  test("a message of 10 MB and more goes through", async () => {
    const messages = Array.from({ length: 5 }, () => ({ role: "user", content: "x".repeat(2.5 * MiB) }));
    expect((await post(daemon, CHAT_PATH, { ...ASKED, messages })).status).toBe(200);
    expect(backend.last().body.length).toBeGreaterThan(12 * MiB);
  });

  describe("bad input is refused in OpenAI's shape, and the backend is not asked", () => {
    const user = (content: unknown) => ({ ...ASKED, messages: [{ role: "user", content }] });
    const CASES: readonly (readonly [what: string, body: unknown, param: string | null, message: RegExp])[] = [
      ["no JSON", "{", null, /parse the JSON body/],
      ["an empty body", "", null, /parse the JSON body/],
      ["JSON that is no object", [], null, /parse the JSON body/],
      ["null", "null", null, /parse the JSON body/],
      ["no messages", { model: "m" }, "messages", /Missing required parameter: 'messages'/],
      ["messages of a wrong type", { ...ASKED, messages: "hello" }, "messages", /expected an array of objects, but got a string/],
      ["no message at all", { ...ASKED, messages: [] }, "messages", /empty array/],
      ["a message that is none", { ...ASKED, messages: [7] }, "messages[0]", /expected an object, but got an integer/],
      ["an unknown role", { ...ASKED, messages: [HELLO, { role: "robot", content: "x" }] }, "messages[1].role", /'robot'/],
      ["content of a wrong type", user(7), "messages[0].content", /got an integer/],
      ["an unknown part", user([{ type: "hologram" }]), "messages[0].content[0].type", /hologram/],
      ["a part without its text", user([{ type: "text" }]), "messages[0].content[0].text", /Missing required parameter/],
      ["a model of a wrong type", { ...ASKED, model: 7 }, "model", /expected a string, but got an integer/],
      ["a temperature of a wrong type", { ...ASKED, temperature: "hot" }, "temperature", /expected a decimal, but got a string/],
      ["stream of a wrong type", { ...ASKED, stream: "yes" }, "stream", /expected a boolean, but got a string/],
      ["a limit below 1", { ...ASKED, max_tokens: 0 }, "max_tokens", /integer below minimum value/],
      ["a tool without a name", { ...ASKED, tools: [{ type: "function", function: {} }] }, "tools[0].function.name", /Missing required/],
      [
        "a tool's result without its call",
        { ...ASKED, messages: [HELLO, { role: "tool", tool_call_id: "call_9", content: "x" }] },
        "messages.[1].role",
        /must be a response to a preceeding message/,
      ],
      [
        "a tool's result for another call",
        {
          ...ASKED,
          messages: [
            HELLO,
            { role: "assistant", tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }] },
            { role: "tool", tool_call_id: "call_9", content: "x" },
          ],
        },
        "messages.[2].role",
        /must be a response to a preceeding message/,
      ],
      ["a text beyond any limit", user("x".repeat(11 * MiB)), "messages[0].content", /string too long/],
      ["nesting beyond any limit", `{"messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "messages[0]", /expected an object/],
    ];

    test.each(CASES)("%s", async (_, body, param, message) => {
      const before = backend.requests.length;
      const { status, json } = await post(daemon, CHAT_PATH, body);
      expect([400, 422]).toContain(status);
      const { error } = json() as OpenAiError;
      expect(Object.keys(error).toSorted()).toEqual(["code", "message", "param", "type"]);
      expect(error).toMatchObject({ param, type: "invalid_request_error", message: expect.stringMatching(message) });
      expect(backend.requests.length).toBe(before);
    });

    test("the SDK throws what it throws for OpenAI's own refusals", async () => {
      const call = openaiAt(daemon).chat.completions.create({ model: "m", messages: [] });
      expect(await thrownBy(call)).toMatchObject({ status: 400, param: "messages", type: "invalid_request_error" });
    });
  });

  const LOSSY = { ...ASKED, seed: 7, stop: ["END"], logit_bias: { "50256": -100 }, n: 1, frequency_penalty: 0 };

  test("what cannot be expressed is left out and named, in whole answers, streams and errors", async () => {
    for (const stream of [false, true]) {
      const { headers, status } = await post(daemon, CHAT_PATH, { ...LOSSY, stream });
      expect(status).toBe(200);
      expect(headers.get("x-faultproxy-dropped-parameters")).toBe("seed, stop, logit_bias");
    }
    expect(Object.keys(backend.last().json)).not.toContain("seed");
    backend.reply(whole(500, "{}"));
    expect((await post(daemon, CHAT_PATH, LOSSY)).headers.get("x-faultproxy-dropped-parameters")).toBe("seed, stop, logit_bias");
    backend.reply(whole(200, recorded("responses/text.json")));
    expect((await post(daemon, CHAT_PATH, ASKED)).headers.has("x-faultproxy-dropped-parameters")).toBe(false);
  });

  test("strict: it is refused, by its name", async () => {
    const strict = await start('dialect = "responses"', "strict = true");
    const before = backend.requests.length;
    const { status, json } = await post(strict, CHAT_PATH, LOSSY);
    expect(status).toBe(400);
    expect(json()).toMatchObject({
      error: {
        type: "invalid_request_error",
        code: "unsupported_parameter",
        param: "seed",
        message: expect.stringContaining("nothing for: seed, stop, logit_bias."),
      },
    });
    expect(backend.requests.length).toBe(before);
    expect((await post(strict, CHAT_PATH, { ...ASKED, n: 1, frequency_penalty: 0 })).status).toBe(200);
  });

  test.each([
    ["drop", undefined, [{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }]],
    ["instructions", "Be brief.\n\nBe kind.", [{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }]],
    [
      "input",
      undefined,
      [
        { type: "message", role: "system", content: [{ type: "input_text", text: "Be brief." }] },
        { type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] },
        { type: "message", role: "developer", content: [{ type: "input_text", text: "Be kind." }] },
      ],
    ],
  ])('system_messages = "%s"', async (way, instructions, input) => {
    const there = await start('dialect = "responses"', `system_messages = "${way}"`);
    const messages = [{ role: "system", content: "Be brief." }, HELLO, { role: "developer", content: "Be kind." }];
    expect((await post(there, CHAT_PATH, { ...ASKED, messages })).status).toBe(200);
    expect(backend.last().json.input).toEqual(input);
    expect(backend.last().json.instructions).toBe(instructions);
  });

  test("models are mapped, and the client gets the name that it asked for", async () => {
    const there = await start('dialect = "responses"', 'model = { "gpt-4o" = "llama-3.3-70b", "*" = "" }', 'models = ["gpt-4o", "other"]');
    const { json } = await post(there, CHAT_PATH, { ...ASKED, model: "gpt-4o" });
    expect(backend.last().json.model).toBe("llama-3.3-70b");
    expect(json()).toMatchObject({ model: "gpt-4o" });
    await post(there, CHAT_PATH, { ...ASKED, model: "gpt-5.1" });
    expect(Object.keys(backend.last().json)).not.toContain("model");
    const before = backend.requests.length;
    expect((await openaiAt(there).models.list()).data.map(({ id }) => id)).toEqual(["gpt-4o", "other"]);
    expect(backend.requests.length).toBe(before);
  });

  test("extra fields of the head and members of the body, in both dialects", async () => {
    const there = await start(
      'dialect = "responses"',
      'extra_headers = { "X-Team" = "blue", "Authorization" = "" }',
      'extra_body = { store = true, metadata = { team = "blue" } }',
    );
    for (const [path, body] of [
      [CHAT_PATH, ASKED],
      ["/v1/responses", { model: "gpt-5.1", input: "hello" }],
    ] as const) {
      expect((await post(there, path, body, { "x-team": "red" })).status).toBe(200);
      expect(backend.last().target).toBe("/v1/responses");
      expect(backend.last().json).toMatchObject({ store: true, metadata: { team: "blue" } });
      expect(backend.last().header("x-team")).toBe("blue");
      expect(backend.last().header("authorization")).toBeUndefined();
    }
  });

  test("preset lightspeed: exactly what Lightspeed takes", async () => {
    // Its certificate is of no use without TLS, and not looked for.
    const there = await start('preset = "lightspeed"');
    const { status } = await post(there, CHAT_PATH, {
      model: "gpt-4o",
      messages: [{ role: "system", content: "You are somebody else." }, HELLO],
      tools: [{ type: "function", function: { name: "shell", parameters: { type: "object" } } }],
      temperature: 0.2,
    });
    expect(status).toBe(200);
    const { target, json, header } = backend.last();
    expect(target).toBe("/v1/responses");
    expect(json).toEqual({
      model: "",
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }],
      // What Chat Completions does without a word is said: Responses would be strict.
      tools: [{ type: "function", name: "shell", parameters: { type: "object" }, strict: false }],
      temperature: 0.2,
      store: false,
      generate_topic_summary: false,
    });
    expect(header("x-lcs-merge-server-tools")).toBe("true");
    expect(header("authorization")).toBeUndefined();
    expect(header("content-type")).toBe("application/json");
  });

  test("a Gemini client is told that nothing is translated for it", async () => {
    const google = new GoogleGenAI({ apiKey: "AIzaTest", httpOptions: { baseUrl: daemon.origin } });
    const error = await thrownBy(google.models.generateContent({ model: "gemini-2.5-pro", contents: "hello" }));
    expect(error).toMatchObject({ status: 501 });
    expect(String(error)).toMatch(/the target speaks the Responses API, and requests in the Gemini API cannot be translated to it/);
  });
});
