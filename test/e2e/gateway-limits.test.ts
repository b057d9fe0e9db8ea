import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { ApiError } from "@google/genai";
import OpenAI from "openai";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, type EngineName, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { played, type RecordedBackend, type Reply, startBackend, whole } from "./support/recorded-backend.ts";
import { SDK_CLIENTS, SDK_NAMES, type SdkName } from "./support/sdk-clients.ts";
import { CHAT_PATH, post } from "./support/translating.ts";

const MESSAGES_PATH = "/v1/messages";
const WINDOW_SECONDS = { minute: 60, day: 86_400 } as const;

const hashOf = (secret: string) => createHash("sha256").update(secret).digest("hex").slice(0, 12);

type Whose = { readonly model?: string; readonly key?: string; readonly user?: string; readonly prompt?: string };

/** One request of Chat Completions; `user` stands in the body. */
function chat(daemon: TestDaemon, { model = "gpt-4o", key = "sk-test", user, prompt = "hello" }: Whose = {}, fields = {}) {
  const body = { model, messages: [{ role: "user", content: prompt }], ...(user === undefined ? {} : { user }) };
  return post(daemon, CHAT_PATH, body, { authorization: `Bearer ${key}`, ...fields });
}

/** How many of so many requests in turn pass. */
async function passing(requests: number, ask: () => Promise<{ readonly status: number }>): Promise<number> {
  let passed = 0;
  for (let each = 0; each < requests; each++) if ((await ask()).status === 200) passed++;
  return passed;
}

const simulated = (engine: EngineName, toml: string, ...args: readonly string[]) =>
  startTestDaemon({ engine, toml, args: ["--simulate", ...args] });

describe.each(ENGINES)("limits with the %s engine", (engine) => {
  describe("as the official SDKs see a refusal", () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      daemon = await simulated(engine, '[[limits.override]]\nmodel = "*"\nrequests_per_minute = 1\n');
      for (const name of SDK_NAMES) await SDK_CLIENTS[name]({ origin: daemon.origin }).whole();
    });
    afterAll(() => daemon.stop());

    const MESSAGE = /rate limit reached: 1 requests per minute of model [\w.-]+\. Please try again in \d+ s\./;
    const openaiForm = (error: unknown) => {
      if (!(error instanceof OpenAI.RateLimitError)) throw error;
      const { status, code, type, message, headers, requestID } = error;
      expect({ status, code, type, requestID }).toEqual({ status: 429, code: "rate_limit_exceeded", type: "requests", requestID: null });
      expect(message).toMatch(MESSAGE);
      expect(Number(headers?.get("retry-after"))).toBeGreaterThan(0);
    };
    const FORMS: Readonly<Record<SdkName, (error: unknown) => void>> = {
      chat: openaiForm,
      responses: openaiForm,
      messages(error) {
        if (!(error instanceof Anthropic.RateLimitError)) throw error;
        expect(error.status).toBe(429);
        expect(error.error).toMatchObject({ type: "error", error: { type: "rate_limit_error", message: expect.stringMatching(MESSAGE) } });
        expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
      },
      gemini(error) {
        if (!(error instanceof ApiError)) throw error;
        expect(error.status).toBe(429);
        const parsed = JSON.parse(error.message);
        expect(parsed).toMatchObject({ error: { code: 429, status: "RESOURCE_EXHAUSTED", message: expect.stringMatching(MESSAGE) } });
      },
    };

    test.each(SDK_NAMES)("%s: whole and streamed, with the body of its provider", async (name) => {
      const client = SDK_CLIENTS[name]({ origin: daemon.origin });
      const refused = await client.whole().then(
        () => undefined,
        (error: unknown) => error,
      );
      FORMS[name](refused);
      const { error } = await client.streamed();
      FORMS[name](error);
    });
  });

  test("exactly as many of many requests at once pass as there may", async () => {
    await using daemon = await simulated(engine, "[limits]\nrequests_per_minute = 23\n");
    const all = await Promise.all(Array.from({ length: 80 }, () => chat(daemon)));
    expect(all.filter(({ status }) => status === 200).length).toBe(23);
    expect(all.filter(({ status }) => status === 429).length).toBe(57);
  });

  describe("what a refusal tells", () => {
    type Told = { readonly toml: string; readonly limit: number; readonly metric: "requests" | "tokens"; readonly scope: string } & {
      readonly window: keyof typeof WINDOW_SECONDS;
    };
    const override = (whose: string, key: string, limit: number) => `[[limits.override]]\n${whose}\n${key} = ${limit}\n`;
    // Until the target has told, "hello" is one token.
    const CASES: readonly (readonly [string, Told])[] = [
      [
        "requests of all, by the minute",
        { toml: "[limits]\nrequests_per_minute = 2\n", limit: 2, metric: "requests", window: "minute", scope: "global" },
      ],
      [
        "requests of all, by the day",
        { toml: "[limits]\nrequests_per_day = 2\n", limit: 2, metric: "requests", window: "day", scope: "global" },
      ],
      ["tokens of all, by the day", { toml: "[limits]\ntokens_per_day = 3\n", limit: 3, metric: "tokens", window: "day", scope: "global" }],
      [
        "of a provider",
        {
          toml: override('provider = "openai"', "requests_per_minute", 2),
          limit: 2,
          metric: "requests",
          window: "minute",
          scope: "provider:openai",
        },
      ],
      [
        "of a model",
        { toml: override('model = "gpt-4*"', "tokens_per_minute", 3), limit: 3, metric: "tokens", window: "minute", scope: "model:gpt-4o" },
      ],
      [
        "of a key",
        {
          toml: override('key = "sk-test"', "requests_per_day", 2),
          limit: 2,
          metric: "requests",
          window: "day",
          scope: `key:${hashOf("sk-test")}`,
        },
      ],
      [
        "of a user",
        { toml: override('user = "ann*"', "requests_per_minute", 2), limit: 2, metric: "requests", window: "minute", scope: "user:anna" },
      ],
    ];
    test.each(CASES)("%s", async (_, { toml, limit, metric, window, scope }) => {
      await using daemon = await simulated(engine, toml);
      // A request is two tokens by what the target says.
      expect(await passing(1, () => chat(daemon, { user: "anna" }))).toBe(1);
      if (metric === "requests") await chat(daemon, { user: "anna" });
      const refused = await chat(daemon, { user: "anna", prompt: metric === "tokens" ? "ten letters" : "hello" });
      const field = (name: string) => refused.headers.get(name);
      const after = Number(field("retry-after"));
      expect(refused.status).toBe(429);
      expect(
        Object.fromEntries(["limit", "remaining", "metric", "window", "scope"].map((name) => [name, field(`x-ratelimit-${name}`)])),
      ).toEqual({
        limit: String(limit),
        remaining: metric === "tokens" ? "1" : "0",
        metric,
        window,
        scope,
      });
      expect(field("x-ratelimit-reason")).toBe(window === "day" ? "daily limit exceeded" : "minute limit exceeded");
      expect(field("x-faultproxy-error")).toBe("rate_limited");
      expect(field("x-ratelimit-reset")).toBe(field("retry-after"));
      // All that counts came in the seconds that this test has taken so far.
      expect(after).toBeLessThanOrEqual(WINDOW_SECONDS[window]);
      expect(after).toBeGreaterThan(WINDOW_SECONDS[window] - 30);
      expect(refused.text).toContain(`${limit} ${metric} per ${window}`);
      expect(refused.text).toContain(`try again in ${after} s`);
    });
  });

  describe("whose a request is", () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      const toml = [
        '[limits]\nuser_header = "X-Team-Member"',
        '[[limits.override]]\nkey = "*"\nrequests_per_minute = 2',
        '[[limits.override]]\nuser = "*"\nrequests_per_day = 2',
        '[[limits.override]]\nuser = "John Smith"\nrequests_per_day = 1',
        `[[limits.override]]\nkey = "${hashOf("sk-by-hash")}"\nrequests_per_minute = 3`,
        '[[limits.override]]\nkey = "sk-by-itself"\nrequests_per_minute = 4',
        '[[limits.override]]\nprovider = "anthropic"\nrequests_per_minute = 1',
        "",
      ].join("\n");
      daemon = await simulated(engine, toml);
    });
    afterAll(() => daemon.stop());

    test("each key has a counter of its own, and the override that names it, by itself or by its hash, stands before the glob", async () => {
      for (const [key, times] of Object.entries({ "sk-one": 2, "sk-two": 2, "sk-by-hash": 3, "sk-by-itself": 4 }))
        expect([key, await passing(times + 2, () => chat(daemon, { key }))]).toEqual([key, times]);
    });

    test("a key is the same in each place where one can stand", async () => {
      const body = { model: "gpt-4o", messages: [] };
      // Fields of other providers would make it theirs.
      const path = `/openai${CHAT_PATH}`;
      const PLACES: Readonly<Record<string, string>> = {
        "x-api-key": "in-x-api-key",
        "api-key": "in-api-key",
        "x-goog-api-key": "in-x-goog-api-key",
      };
      for (const [field, key] of Object.entries(PLACES)) {
        expect([field, await passing(4, () => post(daemon, path, body, { authorization: "", [field]: key }))]).toEqual([field, 2]);
        expect((await chat(daemon, { key })).headers.get("x-ratelimit-scope")).toBe(`key:${hashOf(key)}`);
      }
      const inQuery = () => post(daemon, `${path}?key=in%2Dquery`, body, { authorization: "" });
      expect(await passing(4, inQuery)).toBe(2);
      expect((await chat(daemon, { key: "in-query" })).status).toBe(429);
    });

    const each = (who: string) => ({ key: `sk-of-${who}` });
    test("a user is whom the field names, else whom the body does", async () => {
      expect(await passing(2, () => chat(daemon, { ...each("a"), user: "in-body" }))).toBe(2);
      const byField = await chat(daemon, { ...each("b"), user: "another" }, { "x-team-member": "in-body" });
      expect([byField.status, byField.headers.get("x-ratelimit-scope")]).toEqual([429, "user:in-body"]);
      expect((await chat(daemon, { ...each("b"), user: "another" })).status).toBe(200);
      // An empty field names nobody.
      expect((await chat(daemon, { ...each("c"), user: "in-body" }, { "x-team-member": "" })).status).toBe(429);
    });

    test("users of other alphabets stay apart, and are the same in a field and in a body", async () => {
      const ofField = async (name: string) => {
        const body = JSON.stringify({ model: "gpt-4o", messages: [] });
        const fields = { authorization: "Bearer sk-other-alphabets", "content-type": "application/json" };
        const head = request("POST", CHAT_PATH, { ...fields, authorization: `Bearer ${name}`, "x-team-member": name }, body);
        return raw(daemon.port, Buffer.from(head), { until: complete });
      };
      expect(await passing(3, () => chat(daemon, { ...each("zhang"), user: "张三" }))).toBe(2);
      expect((await ofField("张三")).status).toBe(429);
      expect((await ofField("李四")).status).toBe(200);
      expect(await passing(2, () => chat(daemon, { ...each("john"), user: "John Smith" }))).toBe(1);
    });

    test("requests without a key and without a user are only what is left: of a provider and a model", async () => {
      const body = { model: "claude-opus-4-5", max_tokens: 1, messages: [] };
      const refused = [];
      for (let ask = 0; ask < 2; ask++) refused.push(await post(daemon, MESSAGES_PATH, body, { authorization: "" }));
      expect(refused.map(({ status }) => status)).toEqual([200, 429]);
      expect(refused[1]?.headers.get("x-ratelimit-scope")).toBe("provider:anthropic");
    });
  });

  describe("overrides beside the limit for all", () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      const toml = [
        "[limits]\nrequests_per_minute = 3",
        '[[limits.override]]\nuser = "vip"\nrequests_per_minute = 5',
        '[[limits.override]]\nuser = "free"\nrequests_per_minute = 0',
        '[[limits.override]]\nuser = "small"\nrequests_per_minute = 1',
        "",
      ].join("\n");
      daemon = await simulated(engine, toml);
    });
    afterAll(() => daemon.stop());

    test("a higher one is an allowance of its own, none at all is one too; a lower one holds as well", async () => {
      expect(await passing(7, () => chat(daemon, { user: "vip" }))).toBe(5);
      expect(await passing(6, () => chat(daemon, { user: "free" }))).toBe(6);
      expect((await chat(daemon, { user: "vip" })).headers.get("x-ratelimit-scope")).toBe("user:vip");
      // Nothing of that counts for all.
      expect(await passing(3, () => chat(daemon, { user: "small" }))).toBe(1);
      expect(await passing(4, () => chat(daemon))).toBe(2);
      expect((await chat(daemon)).headers.get("x-ratelimit-scope")).toBe("global");
    });
  });

  test("what asks no model, a preflight and what is answered here are not counted", async () => {
    await using daemon = await simulated(engine, '[limits]\nrequests_per_minute = 1\n[cors]\nallowed_origins = ["*"]\n');
    const preflight = { origin: "https://page.example", "access-control-request-method": "POST" };
    const free = [
      ["GET", "/v1/models", {}],
      ["GET", "/v1/models/gpt-4o", {}],
      ["POST", "/v1/messages/count_tokens", {}],
      ["POST", "/v1beta/models/gemini-2.5-pro:countTokens", {}],
      ["OPTIONS", CHAT_PATH, preflight],
      ["GET", "/health", {}],
      ["GET", "/metrics", {}],
    ] as const;
    for (let round = 0; round < 3; round++) {
      for (const [method, path, fields] of free) {
        const answer = await fetch(`${daemon.origin}${path}`, { method, headers: fields, ...(method === "POST" ? { body: "{}" } : {}) });
        await answer.arrayBuffer();
        expect([path, answer.status]).toEqual([path, method === "OPTIONS" ? 204 : 200]);
      }
    }
    expect(await passing(2, () => chat(daemon))).toBe(1);
    // And they still pass when nothing else does.
    expect((await fetch(`${daemon.origin}/v1/models`)).status).toBe(200);
  });
});

/** A target that says how many tokens it has read. */
const chatUsage = (inputTokens: number) => ({ prompt_tokens: inputTokens, completion_tokens: 1, total_tokens: inputTokens + 1 });
const saying = (inputTokens: number): Reply => whole(200, JSON.stringify({ model: "gpt-4o", choices: [], usage: chatUsage(inputTokens) }));
const event = (data: unknown, name?: string) =>
  Buffer.from(`${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
const CHUNK = { id: "chatcmpl-1", object: "chat.completion.chunk", model: "gpt-4o" };
const delta = (content: string) => event({ ...CHUNK, choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const streaming = (inputTokens: number): Reply =>
  played(
    Buffer.concat([
      delta("hi"),
      event({ ...CHUNK, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
      event({ ...CHUNK, choices: [], usage: chatUsage(inputTokens) }),
      event("[DONE]"),
    ]),
  );

describe.each(ENGINES)("limits of tokens with the %s engine", (engine) => {
  let backend: RecordedBackend;
  beforeAll(async () => {
    backend = await startBackend();
  });
  afterAll(() => backend.stop());

  const start = (toml: string) => {
    const url = backend.endpoint.replace(/\/v1$/, "");
    return startTestDaemon({ engine, toml, args: ["--upstream", `openai=${url}`, "--upstream", `anthropic=${url}`] });
  };
  /** Letters that are estimated to be so many tokens. */
  const text = (tokens: number) => "x".repeat(tokens * 5);
  /** Makes a request of so many tokens by estimate to find out how many are left: it is refused unless it fits. */
  const left = async (daemon: TestDaemon, tokens: number): Promise<number | "passed"> => {
    const answer = await chat(daemon, { prompt: text(tokens) });
    return answer.status === 200 ? "passed" : Number(answer.headers.get("x-ratelimit-remaining"));
  };
  const ended = (daemon: TestDaemon, exchange: number) => daemon.event((one) => one.type === "exchange" && one.exchange === exchange);

  test("the first request passes whatever it is, and the real number takes the place of the estimate", async () => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\n");
    backend.reply(saying(90));
    expect((await chat(daemon, { prompt: text(500) })).status).toBe(200);
    await ended(daemon, 1);
    expect(await left(daemon, 11)).toBe(10);
    backend.reply(saying(4));
    expect(await left(daemon, 10)).toBe("passed");
    await ended(daemon, 3);
    expect(await left(daemon, 7)).toBe(6);
  });

  test("a refused request costs nothing", async () => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\nrequests_per_minute = 3\n");
    backend.reply(saying(90));
    await chat(daemon);
    for (let each = 0; each < 5; each++) expect(await left(daemon, 11)).toBe(10);
    backend.reply(saying(1));
    expect(await left(daemon, 10)).toBe("passed");
    expect(await left(daemon, 1)).toBe("passed");
    const refused = await chat(daemon);
    expect(refused.headers.get("x-ratelimit-metric")).toBe("requests");
  });

  test("requests that run at the same time hold what they are estimated at", async () => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\n");
    const answered = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    backend.reply(async (asked) => {
      arrived.resolve();
      await answered.promise;
      await saying(95)(asked);
    });
    const running = chat(daemon, { prompt: text(60) });
    await arrived.promise;
    expect(await left(daemon, 41)).toBe(40);
    answered.resolve();
    expect((await running).status).toBe(200);
    await ended(daemon, 1);
    expect(await left(daemon, 6)).toBe(5);
  });

  test("a stream that was asked for its usage is counted by it", async () => {
    await using daemon = await start('[limits]\ntokens_per_minute = 100\n[cost]\nledger = ""\n');
    backend.reply(streaming(93));
    const body = { model: "gpt-4o", stream: true, messages: [{ role: "user", content: text(2) }] };
    const answer = await post(daemon, CHAT_PATH, body);
    expect(answer.text).toContain('"content":"hi"');
    await ended(daemon, 1);
    expect(await left(daemon, 8)).toBe(7);
  });

  test("what a stream says of its input counts also where the client leaves in the middle", async () => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\n");
    const usage = { input_tokens: 60, cache_read_input_tokens: 20, cache_creation_input_tokens: 10, output_tokens: 1 };
    const start_ = event({ type: "message_start", message: { type: "message", model: "claude-x", content: [], usage } }, "message_start");
    const block = event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }, "content_block_start");
    const piece = event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "begun" } }, "content_block_delta");
    backend.reply(played(Buffer.concat([start_, block, piece]), { end: "open" }));
    const body = JSON.stringify({ model: "claude-x", max_tokens: 9, stream: true, messages: [{ role: "user", content: "hi" }] });
    const begun = Promise.withResolvers<void>();
    const { socket } = rawConnection(daemon.port, request("POST", MESSAGES_PATH, { "anthropic-version": "2023-06-01" }, body), (all) => {
      if (all.includes("begun")) begun.resolve();
      return false;
    });
    await begun.promise;
    socket.destroy();
    expect(await ended(daemon, 1)).toMatchObject({ done: "client_gone", gateway: { usage: { inputTokens: 90 } } });
    expect(await left(daemon, 11)).toBe(10);
  });

  test("where a stream says nothing before its client leaves, the estimate stays", async () => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\n");
    backend.reply(played(delta("begun"), { end: "open" }));
    const body = JSON.stringify({ model: "gpt-4o", stream: true, messages: [{ role: "user", content: text(40) }] });
    const begun = Promise.withResolvers<void>();
    const { socket } = rawConnection(daemon.port, request("POST", CHAT_PATH, {}, body), (all) => {
      if (all.includes("begun")) begun.resolve();
      return false;
    });
    await begun.promise;
    socket.destroy();
    await ended(daemon, 1);
    backend.reply(saying(1));
    expect(await left(daemon, 61)).toBe(60);
  });

  const DOWN = whole(500, '{"error":{"message":"no","type":"server_error","param":null,"code":null}}');
  const WRONG = whole(400, '{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}');
  /** By what becomes of a request: what is left of 100 tokens and of 2 requests, and the status. */
  const ENDS: readonly (readonly [
    string,
    { readonly reply?: Reply; readonly mode?: string; readonly status: number; readonly counts: boolean },
  ])[] = [
    ["a target that fails gives everything back", { reply: DOWN, status: 500, counts: false }],
    ["a target that hangs up gives everything back", { reply: ({ socket }) => void socket.destroy(), status: 502, counts: false }],
    ["a mistake of the client's counts", { reply: WRONG, status: 400, counts: true }],
    ["a fault in the target's place that it is never asked for counts not", { mode: "r", status: 429, counts: false }],
    ["a fault on the target's side counts like its own answer", { mode: "r side=upstream", status: 429, counts: true }],
  ];
  test.each(ENDS)("%s", async (_, { reply, mode, status, counts }) => {
    await using daemon = await start("[limits]\ntokens_per_minute = 100\nrequests_per_minute = 2\n");
    if (mode !== undefined) await daemon.command(mode);
    if (reply !== undefined) backend.reply(reply);
    expect((await chat(daemon, { prompt: text(30) })).status).toBe(status);
    await ended(daemon, 1);
    await daemon.command("clear");
    backend.reply(saying(1));
    // Nothing counted means that the next one is the first again.
    expect(await left(daemon, 71)).toBe(counts ? 70 : "passed");
    expect(await passing(2, () => chat(daemon))).toBe(1);
  });
});

describe.each(ENGINES)("names and keys from the wire, with the %s engine", (engine) => {
  const NAMES: readonly (readonly [string, string])[] = [
    ["line ends", "gpt-4\r\nX-Evil: 1\r\n\r\nHTTP/1.1 200 OK"],
    ["an emoji", "gpt-🦊"],
    ["half of a character", "gpt-\ud83e"],
    ["a nought", "gpt-\u0000-4"],
    ["quotes and a backslash", 'gpt-"\\"\n'],
    ["ten thousand letters", "m".repeat(10_000)],
  ];

  test("a model of any name breaks no head, no page and no log", async () => {
    using state = temporaryFolder();
    const toml = '[[limits.override]]\nmodel = "*"\nrequests_per_minute = 1\n[[limits.override]]\nuser = "*"\nrequests_per_minute = 1\n';
    await using daemon = await startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--gateway"],
      environment: { XDG_STATE_HOME: state.path },
    });
    for (const [, name] of NAMES) {
      for (const status of [200, 429]) {
        const body = JSON.stringify({ model: name, user: name, messages: [] });
        const answer = await raw(daemon.port, request("POST", CHAT_PATH, { "content-type": "application/json" }, body), {
          until: complete,
        });
        expect(answer.status).toBe(status);
        expect(answer.headers.map(([field]) => field.toLowerCase())).not.toContain("x-evil");
        for (const [field, value] of answer.headers) expect(`${field}: ${value}`).toMatch(/^[!-~]+: [ -~]{0,300}$/);
        expect(JSON.parse(answer.body)).toBeObject();
      }
    }
    const metrics = await (await fetch(`${daemon.origin}/metrics`)).text();
    expect(metrics.split("\n").every((line) => line.length < 1_000 && /^[ -~]*$/.test(line))).toBe(true);
    const lines = daemon
      .log()
      .split("\n")
      .filter((line) => line !== "");
    for (const line of lines) expect(JSON.parse(line)).toBeObject();
    expect((await fetch(`${daemon.origin}/health`)).status).toBe(200);
  });

  test("where the proxy has keys of its own, they say whose a request is, and are told as little", async () => {
    const keys = ["a-key-of-the-proxy-1", "a-key-of-the-proxy-2"] as const;
    const toml = `[server]\napi_keys = ${JSON.stringify(keys)}\n[[limits.override]]\nkey = "*"\nrequests_per_minute = 1\n`;
    await using daemon = await startTestDaemon({ engine, toml, args: ["--simulate"] });
    const told: string[] = [];
    for (const key of keys) {
      // All of them with the same key of the provider's.
      const answers = [await chat(daemon, {}, { "x-faultproxy-key": key }), await chat(daemon, {}, { "x-faultproxy-key": key })];
      expect(answers.map(({ status }) => status)).toEqual([200, 429]);
      expect(answers[1]?.headers.get("x-ratelimit-scope")).toBe(`key:${hashOf(key)}`);
      told.push(...answers.map(({ text, headers }) => text + JSON.stringify([...headers])));
    }
    await daemon.event((one) => one.type === "exchange" && one.exchange === 4);
    told.push(JSON.stringify(await daemon.events()), daemon.log());
    expect(told.filter((text) => text.includes("a-key-of-the-proxy"))).toEqual([]);
  });

  test("a key never appears in what is told, wherever the client put it", async () => {
    using state = temporaryFolder();
    const lines = join(state.path, "rows.jsonl");
    const secret = (place: string) => `sk-secret-${place}-0123456789abcdef`;
    const toml = [
      "[limits]\nrequests_per_minute = 100",
      '[[limits.override]]\nkey = "*"\nrequests_per_minute = 1',
      `[[limits.override]]\nkey = "${secret("config")}"\nrequests_per_minute = 1`,
      `[cost]\njson_lines = "${lines}"`,
      "",
    ].join("\n");
    await using daemon = await startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--gateway", "--log-level", "debug"],
      environment: { XDG_STATE_HOME: state.path },
    });
    const body = JSON.stringify({ model: "gpt-4o", messages: [] });
    const told: string[] = [];
    const PLACES: readonly (readonly [place: string, path: string, field: string])[] = [
      ["bearer", CHAT_PATH, "authorization: Bearer "],
      ["basic", CHAT_PATH, "Authorization: Basic "],
      ["x-api-key", CHAT_PATH, "x-api-key: "],
      ["x-goog-api-key", CHAT_PATH, "X-Goog-Api-Key: "],
      ["api-key", CHAT_PATH, "api-key: "],
      ["config", CHAT_PATH, "authorization: Bearer "],
      ["query", `${CHAT_PATH}?key=${secret("query")}&x=1`, ""],
      ["gemini", `/v1beta/models/gemini-2.5-pro:generateContent?key=${secret("gemini")}`, ""],
    ];
    for (const [place, path, field] of PLACES) {
      const fields = field === "" ? "" : `${field}${secret(place)}\r\n`;
      const bytes = `POST ${path} HTTP/1.1\r\nhost: x\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`;
      const answers = [await raw(daemon.port, bytes, { until: complete }), await raw(daemon.port, bytes, { until: complete })];
      expect([place, answers.map(({ status }) => status)]).toEqual([place, [200, 429]]);
      told.push(...answers.map(({ text }) => text));
    }
    await daemon.event((one) => one.type === "exchange" && one.exchange === PLACES.length * 2);
    for (const page of ["/metrics", "/health"]) told.push(await (await fetch(`${daemon.origin}${page}`)).text());
    for (const page of ["status", "breakers", "config"])
      told.push(await (await fetch(`http://x/v1/${page}`, { unix: daemon.socket })).text());
    const shown = Bun.spawnSync([BINARY, "config", "--config", daemon.config], { env: CLEAN_ENVIRONMENT });
    told.push(JSON.stringify(await daemon.events()), daemon.log(), daemon.printed(), shown.stdout.toString(), shown.stderr.toString());
    const folder = join(state.path, "faultproxy");
    told.push(readFileSync(lines, "latin1"), ...readdirSync(folder).map((file) => readFileSync(join(folder, file), "latin1")));
    for (const [place] of PLACES) {
      expect(told.filter((text) => text.includes(secret(place)))).toEqual([]);
      expect(told.some((text) => text.includes(hashOf(place === "basic" ? `Basic ${secret(place)}` : secret(place))))).toBe(true);
    }
  });
});
