import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { calcPrice } from "@pydantic/genai-prices";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { ledgerIn, rowsWhen } from "./support/ledger.ts";
import { played, type RecordedBackend, type Reply, recorded, SSE_FIELDS, startBackend, whole } from "./support/recorded-backend.ts";
import { SDK_CLIENTS, SDK_NAMES } from "./support/sdk-clients.ts";
import { CHAT_PATH, openaiAt } from "./support/translating.ts";

type Usage = {
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly parts?: Readonly<Record<string, number>>;
};
type Seen = {
  readonly stream: boolean;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly answeredModel: string | null;
};
type Exchange = { readonly exchange: number; readonly status: number | null; readonly model: string | null; readonly gateway: Seen };

/** What a request came to, as its client, its target and its log see it. */
type Asked = { readonly status: number; readonly headers: Headers; readonly bytes: Buffer; readonly event: Exchange };

async function exchanges(daemon: TestDaemon): Promise<readonly Exchange[]> {
  return (await daemon.events()).filter(({ type }) => type === "exchange") as unknown as readonly Exchange[];
}

async function ask(daemon: TestDaemon, path: string, body: string | Uint8Array, fields = {}): Promise<Asked> {
  const before = (await exchanges(daemon)).length;
  const answer = await fetch(`${daemon.origin}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer sk-test", ...fields },
    body,
    // What the target sends is looked at as it came.
    decompress: false,
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const event = await eventually(async () => (await exchanges(daemon))[before], "the end of the exchange");
  return { status: answer.status, headers: answer.headers, bytes, event };
}

const sse = (payloads: readonly (readonly [name: string | undefined, data: unknown])[]) =>
  Buffer.from(
    payloads
      .map(
        ([name, data]) =>
          `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`,
      )
      .join(""),
  );

/** Answers in the form of the providers, with all that they count apart. */
type Case = {
  readonly path: string;
  readonly streamPath?: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly whole: unknown;
  readonly stream: Buffer;
  readonly streamType?: string;
  /** What the client gets of the stream; undefined: all. */
  readonly streamSeen?: Buffer;
  readonly usage: Usage;
  readonly provider: string;
  readonly model: string;
  readonly answeredModel: string;
  readonly priced: Parameters<typeof calcPrice>[0];
};

const CHAT_HEAD = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-5-mini-2025-08-07" };
const CHAT_USAGE = {
  prompt_tokens: 1_200,
  completion_tokens: 300,
  total_tokens: 1_500,
  prompt_tokens_details: { cached_tokens: 1_024, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 256, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};
const chatChoice = (delta: object, finish: string | null) => ({ ...CHAT_HEAD, choices: [{ index: 0, delta, finish_reason: finish }] });
const CHAT_FRAMES = [
  [undefined, chatChoice({ role: "assistant", content: "" }, null)],
  [undefined, chatChoice({ content: "Grüße" }, null)],
  [undefined, chatChoice({}, "stop")],
] as const;
const CHAT_EXTRA = [undefined, { ...CHAT_HEAD, choices: [], usage: CHAT_USAGE }] as const;
const CHAT_DONE = [undefined, "[DONE]"] as const;

const RESPONSE = {
  id: "resp_1",
  object: "response",
  status: "completed",
  error: null,
  model: "gpt-5.1-2025-11-13",
  output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Grüße", annotations: [] }] }],
  usage: {
    input_tokens: 1_500,
    input_tokens_details: { cached_tokens: 1_280 },
    output_tokens: 400,
    output_tokens_details: { reasoning_tokens: 320 },
    total_tokens: 1_900,
  },
};

const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-opus-4-5-20251101",
  stop_reason: null,
  stop_sequence: null,
};
const MESSAGE_USAGE = {
  input_tokens: 12,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 2_000,
  cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
  output_tokens: 150,
  service_tier: "standard",
};

const GEMINI = {
  candidates: [{ content: { parts: [{ text: "Grüße" }], role: "model" }, finishReason: "STOP", index: 0 }],
  usageMetadata: {
    promptTokenCount: 900,
    cachedContentTokenCount: 512,
    candidatesTokenCount: 80,
    thoughtsTokenCount: 220,
    totalTokenCount: 1_200,
    promptTokensDetails: [{ modality: "TEXT", tokenCount: 900 }],
  },
  modelVersion: "gemini-2.5-pro",
  responseId: "r1",
};
const GEMINI_FIRST = {
  candidates: [{ content: { parts: [{ text: "Gr" }], role: "model" }, index: 0 }],
  usageMetadata: { promptTokenCount: 900, cachedContentTokenCount: 512, thoughtsTokenCount: 220, totalTokenCount: 1_120 },
  modelVersion: "gemini-2.5-pro",
  responseId: "r1",
};
const GEMINI_CASE = {
  path: "/v1beta/models/gemini-2.5-pro:generateContent",
  request: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
  whole: GEMINI,
  usage: { inputTokens: 900, cacheReadTokens: 512, cacheWriteTokens: 0, outputTokens: 300, reasoningTokens: 220 },
  provider: "google",
  model: "gemini-2.5-pro",
  answeredModel: "gemini-2.5-pro",
  priced: { input_tokens: 900, cache_read_tokens: 512, output_tokens: 300 },
} as const;

const CASES: Readonly<Record<string, Case>> = {
  "Chat Completions": {
    path: CHAT_PATH,
    request: { model: "gpt-5-mini", messages: [{ role: "user", content: "hi" }] },
    whole: {
      ...CHAT_HEAD,
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", content: "Grüße" }, finish_reason: "stop" }],
      usage: CHAT_USAGE,
    },
    stream: sse([...CHAT_FRAMES, CHAT_EXTRA, CHAT_DONE]),
    streamSeen: sse([...CHAT_FRAMES, CHAT_DONE]),
    usage: { inputTokens: 1_200, cacheReadTokens: 1_024, cacheWriteTokens: 0, outputTokens: 300, reasoningTokens: 256 },
    provider: "openai",
    model: "gpt-5-mini",
    answeredModel: "gpt-5-mini-2025-08-07",
    priced: { input_tokens: 1_200, cache_read_tokens: 1_024, output_tokens: 300 },
  },
  Responses: {
    path: "/v1/responses",
    request: { model: "gpt-5.1", input: "hi" },
    whole: RESPONSE,
    stream: sse([
      ["response.created", { type: "response.created", sequence_number: 0, response: { ...RESPONSE, status: "in_progress", usage: null } }],
      ["response.output_text.delta", { type: "response.output_text.delta", sequence_number: 1, item_id: "m", delta: "Grüße" }],
      ["response.completed", { type: "response.completed", sequence_number: 2, response: RESPONSE }],
    ]),
    usage: { inputTokens: 1_500, cacheReadTokens: 1_280, cacheWriteTokens: 0, outputTokens: 400, reasoningTokens: 320 },
    provider: "openai",
    model: "gpt-5.1",
    answeredModel: "gpt-5.1-2025-11-13",
    priced: { input_tokens: 1_500, cache_read_tokens: 1_280, output_tokens: 400 },
  },
  Messages: {
    path: "/v1/messages",
    request: { model: "claude-opus-4-5", max_tokens: 200, messages: [{ role: "user", content: "hi" }] },
    whole: { ...MESSAGE, content: [{ type: "text", text: "Grüße" }], stop_reason: "end_turn", usage: MESSAGE_USAGE },
    stream: sse([
      ["message_start", { type: "message_start", message: { ...MESSAGE, content: [], usage: { ...MESSAGE_USAGE, output_tokens: 1 } } }],
      ["content_block_start", { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }],
      ["ping", '{"type": "ping"}'],
      ["content_block_delta", { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Grüße" } }],
      ["content_block_stop", { type: "content_block_stop", index: 0 }],
      [
        "message_delta",
        {
          type: "message_delta",
          delta: { stop_reason: "end_turn", stop_sequence: null },
          usage: { output_tokens: MESSAGE_USAGE.output_tokens },
        },
      ],
      ["message_stop", { type: "message_stop" }],
    ]),
    usage: {
      inputTokens: 2_312,
      cacheReadTokens: 2_000,
      cacheWriteTokens: 300,
      outputTokens: 150,
      reasoningTokens: 0,
      parts: { cacheWriteHour: 200 },
    },
    provider: "anthropic",
    model: "claude-opus-4-5",
    answeredModel: "claude-opus-4-5-20251101",
    // Those that are kept for an hour cost twice the input, the others a quarter more.
    priced: { input_tokens: 2_112 + 200, cache_read_tokens: 2_000, cache_write_tokens: 100, output_tokens: 150 },
  },
  "Gemini as events": {
    ...GEMINI_CASE,
    streamPath: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
    stream: sse([
      [undefined, GEMINI_FIRST],
      [undefined, GEMINI],
    ]),
  },
  "Gemini as a list": {
    ...GEMINI_CASE,
    streamPath: "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    streamType: "application/json; charset=UTF-8",
    stream: Buffer.from(`[${JSON.stringify(GEMINI_FIRST, null, 2)}\n,\r\n${JSON.stringify(GEMINI, null, 2)}\n]\n`),
  },
};

/** What the table of prices says; what is kept for an hour is put to it at twice the price of the input. */
function oracle({ priced, answeredModel, provider, usage }: Case): number {
  const price = (of: Parameters<typeof calcPrice>[0]) => calcPrice(of, answeredModel, { providerId: provider })?.total_price ?? Number.NaN;
  const anHour = usage.parts?.cacheWriteHour ?? 0;
  return price(priced) + (anHour === 0 ? 0 : price({ input_tokens: anHour }));
}

const told = ({ headers }: Asked) =>
  ["provider", "model", "input-tokens", "output-tokens", "total-tokens"].map((name) => headers.get(`x-llm-${name}`));

describe.each(ENGINES)("usage and cost with the %s engine", (engine) => {
  let backend: RecordedBackend;
  const state = temporaryFolder();
  let daemon: TestDaemon;
  const toTarget = () =>
    ["openai", "anthropic", "google"].flatMap((name) => ["--upstream", `${name}=${backend.endpoint.replace(/\/v1$/, "")}`]);
  const environment = { XDG_STATE_HOME: state.path };
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await startTestDaemon({ engine, args: ["--gateway", ...toTarget()], environment });
  });
  afterAll(async () => {
    await daemon.stop();
    backend.stop();
    state[Symbol.dispose]();
  });
  /** One with these settings, and the same target. */
  const start = (toml: string) => startTestDaemon({ engine, toml, args: toTarget(), environment });

  describe.each(Object.entries(CASES))("%s", (_, one) => {
    const { path, streamPath = path, request, stream, streamSeen = stream, streamType, usage, provider, model, answeredModel } = one;
    const seen = { usage, answeredModel, costUsd: expect.closeTo(oracle(one), 12) };

    test("a whole answer", async () => {
      const answer = JSON.stringify(one.whole);
      backend.reply(whole(200, answer));
      const asked = await ask(daemon, path, JSON.stringify(request));
      expect(asked.bytes.toString()).toBe(answer);
      expect(asked.event).toMatchObject({ model, gateway: { ...seen, stream: false } });
      const { inputTokens, outputTokens } = usage;
      expect(told(asked)).toEqual([provider, answeredModel, ...[inputTokens, outputTokens, inputTokens + outputTokens].map(String)]);
    });

    test.each([5, 1_000_000])("a streamed one in pieces of %d bytes", async (chunkBytes) => {
      backend.reply(played(stream, { chunkBytes, ...(streamType === undefined ? {} : { fields: { "content-type": streamType } }) }));
      const body = streamPath === path ? { ...request, stream: true } : request;
      const asked = await ask(daemon, streamPath, JSON.stringify(body));
      expect(asked.bytes.toString()).toBe(streamSeen.toString());
      expect(asked.event).toMatchObject({ model, gateway: { ...seen, stream: true } });
      // The rest is not known yet when the head goes.
      expect(told(asked)).toEqual([provider, model, null, null, null]);
    });
  });

  test("the ledger, its report and the metrics hold what the events say", async () => {
    const events = await exchanges(daemon);
    const rows = await rowsWhen(ledgerIn(state.path), events.length);
    expect(rows.map((row) => [row.exchange, row.model, row.answered_model, row.stream === 1])).toEqual(
      events.map(({ exchange, model, gateway }) => [exchange, model, gateway.answeredModel, gateway.stream]),
    );
    expect(
      rows.map((row) => [row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens, row.reasoning_tokens]),
    ).toEqual(
      events.map(({ gateway: { usage } }) =>
        [usage?.inputTokens, usage?.cacheReadTokens, usage?.cacheWriteTokens, usage?.outputTokens, usage?.reasoningTokens].map(
          (n) => n ?? null,
        ),
      ),
    );
    expect(rows.map((row) => row.cost_usd)).toEqual(events.map(({ gateway }) => gateway.costUsd));
    const total = rows.reduce((sum, row) => sum + (row.cost_usd ?? 0), 0);
    expect(total).toBeGreaterThan(0);
    const sum = (number: (usage: Usage) => number) =>
      events.reduce((all, { gateway: { usage } }) => all + (usage === null ? 0 : number(usage)), 0);
    const report = Bun.spawnSync([BINARY, "cost", "--json"], { env: { ...CLEAN_ENVIRONMENT, ...environment } });
    expect(JSON.parse(report.stdout.toString())).toMatchObject({
      total: {
        requests: events.length,
        failed: 0,
        inputTokens: sum(({ inputTokens }) => inputTokens),
        cacheReadTokens: sum(({ cacheReadTokens }) => cacheReadTokens),
        cacheWriteTokens: sum(({ cacheWriteTokens }) => cacheWriteTokens),
        outputTokens: sum(({ outputTokens }) => outputTokens),
        reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens),
        costUsd: expect.closeTo(total, 9),
        costUnknown: 0,
      },
    });
    const metrics = await (await fetch(`${daemon.origin}/metrics`)).text();
    const counted = [...metrics.matchAll(/^faultproxy_cost_usd_total\{.*\} (.*)$/gm)].reduce((sum, [, number]) => sum + Number(number), 0);
    expect(counted).toBeCloseTo(total, 9);
  });

  describe("prices", () => {
    const body = (model: string) => JSON.stringify({ model, messages: [] });
    const answer = (model: string) => whole(200, JSON.stringify({ model, choices: [], usage: CHAT_USAGE }));

    test("a model that nobody knows has no known cost", async () => {
      backend.reply(answer("our-own-model"));
      expect((await ask(daemon, CHAT_PATH, body("our-own-model"))).event.gateway).toMatchObject({
        usage: { inputTokens: 1_200 },
        costUsd: null,
      });
      expect(await (await fetch(`${daemon.origin}/metrics`)).text()).toContain(
        'faultproxy_unpriced_answers_total{provider="openai",model="our-own-model"} 1',
      );
    });

    test("prices of one's own stand before those that are known, for a part of the models and of one provider", async () => {
      await using own = await start(
        [
          '[cost]\nledger = ""',
          '[[cost.price]]\nprovider = "anthropic"\nmodel = "*"\ninput_per_million = 1000\noutput_per_million = 1000',
          '[[cost.price]]\nmodel = "our-*"\ninput_per_million = 10\noutput_per_million = 20\ncache_read_per_million = 1',
          '[[cost.price]]\nmodel = "gpt-5-mini*"\ninput_per_million = 0\noutput_per_million = 0',
          "",
        ].join("\n"),
      );
      const cost = async (model: string) => {
        backend.reply(answer(model));
        return (await ask(own, CHAT_PATH, body(model))).event.gateway.costUsd;
      };
      expect(await cost("our-own-model")).toBeCloseTo((176 * 10 + 1_024 * 1 + 300 * 20) / 1e6, 12);
      expect(await cost("gpt-5-mini")).toBe(0);
      expect(await cost("gpt-4o")).toBeCloseTo(
        calcPrice({ input_tokens: 1_200, cache_read_tokens: 1_024, output_tokens: 300 }, "gpt-4o")?.total_price ?? 0,
        12,
      );
    });
  });

  describe("a Chat Completions stream is asked for its usage", () => {
    const plain = (stream: Buffer, chunkBytes?: number): Reply => played(stream, chunkBytes === undefined ? {} : { chunkBytes });
    const extra = CASES["Chat Completions"]?.stream ?? Buffer.alloc(0);

    test("once, and every other byte of the request stays as it was", async () => {
      backend.reply(plain(extra));
      const bodies = [
        '{"model":"gpt-5-mini","stream":true,"messages":[]}',
        '{\n  "stream" : true,\t"n": 1.0, "x": 1e400, "model":"gpt-5-mini","messages":[ {"role":"user","content":"\\u00e9\\/}"} ] }  \r\n',
        '{"stream":true,"model":"gpt-5-mini","messages":[],"messages":[{"role":"user","content":"{\\"stream_options\\":1}"}]}',
        Buffer.from('{"stream":true,"model":"gpt-5-mini","messages":[{"role":"user","content":"\xff\xfe\xed\xa0\x80"}]}', "latin1"),
        `{"stream":true,"model":"gpt-5-mini","messages":[{"role":"user","content":"${"ß🦊".repeat(60_000)}"}]}`,
      ];
      for (const body of bodies) {
        const sent = Buffer.from(body);
        await ask(daemon, CHAT_PATH, sent);
        const { body: got } = backend.last();
        const end = sent.lastIndexOf("}");
        const wanted = Buffer.concat([sent.subarray(0, end), Buffer.from(',"stream_options":{"include_usage":true}'), sent.subarray(end)]);
        expect(got.equals(wanted)).toBe(true);
        expect(backend.last().json).toMatchObject({ stream: true, stream_options: { include_usage: true } });
      }
    });

    const asking = (options: unknown) => JSON.stringify({ model: "gpt-5-mini", stream: true, stream_options: options, messages: [] });
    const untouched: Readonly<Record<string, string>> = {
      "that asks itself": asking({ include_usage: true }),
      "that says that it does not want it": asking({ include_usage: false }),
      "with other options": asking({ include_obfuscation: false }),
      "with no options": asking(null),
      "that is no stream": JSON.stringify({ model: "gpt-5-mini", messages: [] }),
      "that is no JSON": "{stream:true",
    };
    test.each(Object.entries(untouched))("but not one %s; what the target says then goes on as it is", async (_, body) => {
      backend.reply(plain(extra));
      const { bytes } = await ask(daemon, CHAT_PATH, body);
      expect(backend.last().body.toString()).toBe(body);
      expect(bytes.toString()).toBe(extra.toString());
    });

    test("nor one whose body is compressed", async () => {
      backend.reply(plain(extra));
      const body = gzipSync('{"model":"gpt-5-mini","stream":true,"messages":[]}');
      const { bytes } = await ask(daemon, CHAT_PATH, body, { "content-encoding": "gzip" });
      expect(backend.last().body.equals(body)).toBe(true);
      expect(bytes.toString()).toBe(extra.toString());
    });

    test("nor any where the settings say so", async () => {
      await using off = await start('[cost]\nledger = ""\ninclude_usage = false\n');
      backend.reply(plain(extra));
      const body = '{"model":"gpt-5-mini","stream":true,"messages":[]}';
      const asked = await ask(off, CHAT_PATH, body);
      expect(backend.last().body.toString()).toBe(body);
      expect(asked.bytes.toString()).toBe(extra.toString());
      expect(asked.event.gateway.usage).toMatchObject({ inputTokens: 1_200 });
    });

    const needed: Readonly<Record<string, string>> = {
      "a request that the settings of its target change": '[cost]\nledger = ""\n[providers.openai]\nmodel = "other"\n',
      "one before a target that is said to speak the same": '[cost]\nledger = ""\n[providers.openai]\ndialect = "chat"\n',
      "limits for tokens, without costs": "[limits]\ntokens_per_minute = 1000000\n",
      "such limits for each key": '[[limits.override]]\nkey = "*"\ntokens_per_day = 1000000\n',
    };
    test.each(Object.entries(needed))("also for %s", async (_, toml) => {
      await using other = await start(toml);
      backend.reply(plain(extra));
      const { bytes, event } = await ask(other, CHAT_PATH, '{"model":"gpt-5-mini","stream":true,"messages":[]}');
      expect(backend.last().json).toMatchObject({ stream_options: { include_usage: true } });
      expect(bytes.toString()).not.toContain('"total_tokens"');
      expect(event.gateway.usage).toMatchObject({ inputTokens: 1_200 });
    });

    test("the official client finds no chunk that it did not ask for, and the one that it did", async () => {
      backend.reply(plain(extra, 11));
      const request = { model: "gpt-5-mini", messages: [] };
      const read = async (options: object) => {
        const chunks = await openaiAt(daemon).chat.completions.create({ ...request, ...options, stream: true });
        return (await Array.fromAsync(chunks)).map(({ choices, usage }) => [choices.length, usage?.total_tokens]);
      };
      expect(await read({})).toEqual([
        [1, undefined],
        [1, undefined],
        [1, undefined],
      ]);
      expect((await read({ stream_options: { include_usage: true } })).at(-1)).toEqual([0, 1_500]);
    });

    test("comments, other line ends and usage beside the last words are as the client would have had them", async () => {
      const last = { ...CHAT_HEAD, choices: [{ index: 0, delta: { content: "" }, finish_reason: "stop" }] };
      const frame = (json: unknown) => `data:${JSON.stringify(json)}\r\n\r\n`;
      const first = `: OPENROUTER PROCESSING\r\n\r\n${frame(chatChoice({ content: "Grüße" }, null))}`;
      backend.reply(plain(Buffer.from(`${first}${frame({ ...last, usage: CHAT_USAGE })}data: [DONE]\r\n\r\n`), 3));
      const asked = await ask(daemon, CHAT_PATH, '{"model":"gpt-5-mini","stream":true,"messages":[]}');
      const text = asked.bytes.toString();
      expect(text.startsWith(first)).toBe(true);
      expect(text.endsWith("data: [DONE]\r\n\r\n")).toBe(true);
      expect(text).not.toContain('"usage"');
      expect(JSON.parse(/data: ?(.*finish_reason":"stop.*)/.exec(text)?.[1] ?? "")).toEqual(last);
      expect(asked.event.gateway.usage).toMatchObject({ inputTokens: 1_200, outputTokens: 300 });
    });
  });

  test("a target that speaks another dialect tells its usage too", async () => {
    await using translating = await start('[cost]\nledger = ""\n[providers.openai]\ndialect = "responses"\n');
    const usage = { inputTokens: 36, cacheReadTokens: 12, cacheWriteTokens: 0, outputTokens: 87, reasoningTokens: 64 };
    backend.reply(whole(200, recorded("responses/text.json")));
    const asked = await ask(translating, CHAT_PATH, '{"model":"gpt-5-mini","messages":[{"role":"user","content":"hi"}]}');
    expect(backend.last().target).toBe("/v1/responses");
    expect(asked.event.gateway).toMatchObject({ stream: false, usage, costUsd: expect.any(Number) });
    expect(told(asked).slice(2)).toEqual(["36", "87", "123"]);
    expect(JSON.parse(asked.bytes.toString())).toMatchObject({
      object: "chat.completion",
      usage: { prompt_tokens: 36, completion_tokens: 87 },
    });

    backend.reply(played(recorded("responses/text.sse"), { chunkBytes: 100 }));
    const streamed = await ask(translating, CHAT_PATH, '{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}');
    expect(streamed.event.gateway).toMatchObject({ stream: true, usage, costUsd: asked.event.gateway.costUsd });
    expect(backend.last().json).not.toHaveProperty("stream_options");
    expect(streamed.bytes.toString()).toContain("chat.completion.chunk");
    expect(streamed.bytes.toString()).not.toContain("prompt_tokens");
  });

  describe("what is no plain answer", () => {
    const REQUEST = '{"model":"gpt-5-mini","messages":[]}';
    const ANSWER = JSON.stringify(CASES["Chat Completions"]?.whole);

    test("a compressed answer is read, and goes on compressed", async () => {
      const bytes = gzipSync(ANSWER);
      backend.reply(whole(200, bytes, { "content-type": "application/json", "content-encoding": "gzip" }));
      const asked = await ask(daemon, CHAT_PATH, REQUEST, { "accept-encoding": "gzip" });
      expect(asked.bytes.equals(bytes)).toBe(true);
      expect(asked.headers.get("content-encoding")).toBe("gzip");
      expect(asked.event.gateway.usage).toMatchObject({ inputTokens: 1_200 });
      expect(told(asked)[2]).toBe("1200");
    });

    test("a compressed stream goes on as it is", async () => {
      const bytes = gzipSync(CASES["Chat Completions"]?.stream ?? "");
      backend.reply(played(bytes, { chunkBytes: 20, fields: { ...SSE_FIELDS, "content-encoding": "gzip" } }));
      const asked = await ask(daemon, CHAT_PATH, '{"model":"gpt-5-mini","stream":true,"messages":[]}');
      expect(asked.bytes.equals(bytes)).toBe(true);
      expect(asked.headers.get("content-encoding")).toBe("gzip");
    });

    test("an error tells no usage, whatever stands in it", async () => {
      const error = { error: { message: "no", type: "invalid_request_error", param: null, code: null }, usage: CHAT_USAGE };
      for (const status of [400, 200]) {
        backend.reply(whole(status, JSON.stringify(error)));
        const asked = await ask(daemon, CHAT_PATH, REQUEST);
        expect(asked.event.gateway).toMatchObject({ usage: null, costUsd: null });
        expect(told(asked).slice(2)).toEqual([null, null, null]);
      }
    });

    test("numbers that are none are no usage", async () => {
      for (const prompt_tokens of [-1, 1.5, "12", 1e30, null, {}]) {
        const answer = JSON.stringify({ model: "gpt-5-mini", choices: [], usage: { prompt_tokens, completion_tokens: 1 } });
        backend.reply(whole(200, answer));
        const asked = await ask(daemon, CHAT_PATH, REQUEST);
        expect([asked.bytes.toString(), asked.event.gateway.usage]).toEqual([answer, null]);
      }
    });

    test("embeddings have an input alone", async () => {
      const answer = JSON.stringify({
        object: "list",
        model: "text-embedding-3-small",
        data: [{ object: "embedding", index: 0, embedding: [0.1] }],
        usage: { prompt_tokens: 500, total_tokens: 500 },
      });
      backend.reply(whole(200, answer));
      const asked = await ask(daemon, "/v1/embeddings", '{"model":"text-embedding-3-small","input":"hi"}');
      expect(asked.event.gateway).toMatchObject({ usage: { inputTokens: 500, outputTokens: 0 }, answeredModel: "text-embedding-3-small" });
      expect(asked.event.gateway.costUsd).toBeCloseTo(
        calcPrice({ input_tokens: 500 }, "text-embedding-3-small", { providerId: "openai" })?.total_price ?? 0,
        12,
      );
      expect(told(asked)).toEqual(["openai", "text-embedding-3-small", "500", "0", "500"]);
    });

    test("thirty megabytes of JSON pass as they are", async () => {
      const bytes = Buffer.from(`{"usage":{"prompt_tokens":1,"completion_tokens":1},"data":"${"ab🦊".repeat(5_000_000)}"}`);
      expect(bytes.length).toBeGreaterThan(30_000_000);
      backend.reply(whole(200, bytes));
      const asked = await ask(daemon, CHAT_PATH, REQUEST);
      expect(asked.bytes.equals(bytes)).toBe(true);
    });

    test("sound passes as it is, also where it looks like JSON", async () => {
      const bytes = Buffer.concat([
        Buffer.from('{"usage":{"prompt_tokens":1,"completion_tokens":1}}'),
        crypto.getRandomValues(Buffer.alloc(60_000)),
      ]);
      const fields = { "content-type": "audio/mpeg" };
      for (const reply of [whole(200, bytes, fields), played(bytes, { chunkBytes: 10_000, fields })]) {
        backend.reply(reply);
        const asked = await ask(daemon, "/v1/audio/speech", '{"model":"tts-1","input":"hi","voice":"alloy"}');
        expect(asked.bytes.equals(bytes)).toBe(true);
        expect(asked.event.gateway).toMatchObject({ usage: null, costUsd: null });
      }
    });

    test("what a target says in the gateway's own fields does not stand beside it", async () => {
      const fields = { "content-type": "application/json", "x-llm-provider": "another", "X-LLM-Input-Tokens": "7" };
      backend.reply(whole(200, ANSWER, fields));
      expect(told(await ask(daemon, CHAT_PATH, REQUEST)).slice(0, 3)).toEqual(["openai", "gpt-5-mini-2025-08-07", "1200"]);
    });
  });

  describe("with the built-in provider", () => {
    let simulating: TestDaemon;
    const own = temporaryFolder();
    beforeAll(async () => {
      simulating = await startTestDaemon({ engine, args: ["--simulate", "--gateway"], environment: { XDG_STATE_HOME: own.path } });
    });
    afterAll(async () => {
      await simulating.stop();
      own[Symbol.dispose]();
    });

    test.each(SDK_NAMES)("the client of %s and the ledger count the same, whole and streamed", async (name) => {
      const client = SDK_CLIENTS[name]({ origin: simulating.origin });
      const before = (await exchanges(simulating)).length;
      const answers = [await client.whole(), (await client.streamed()).answer];
      const rows = (await rowsWhen(ledgerIn(own.path), before + 2)).slice(before);
      expect(rows.map(({ input_tokens, output_tokens, stream, status }) => [input_tokens, output_tokens, stream, status])).toEqual(
        answers.map(({ inputTokens, outputTokens }, index) => [inputTokens ?? null, outputTokens ?? null, index, 200]),
      );
      expect(rows[0]?.cost_usd).toBeGreaterThan(0);
      expect(rows[1]?.cost_usd).toBe(rows[0]?.cost_usd ?? null);
    });
  });
});
