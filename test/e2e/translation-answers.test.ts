import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import OpenAI from "openai";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import {
  type Fields,
  played,
  type RecordedBackend,
  type Reply,
  recorded,
  SSE_FIELDS,
  startBackend,
  whole,
} from "./support/recorded-backend.ts";
import { freePort } from "./support/servers.ts";
import { anthropicAt, CHAT_PATH, openaiAt, post, startTranslating, thrownBy } from "./support/translating.ts";

const ASKED = { model: "gpt-5.1", messages: [{ role: "user" as const, content: "hello" }] };
const STREAMED = { ...ASKED, stream: true as const };
const TEXT = "Grüße aus Zürich 👋 — 25 °C, sonnig.";
const WHOLE = recorded("responses/text.json");
const STREAM = recorded("responses/text.sse");
const JSON_FIELDS: Fields = { "content-type": "application/json" };

type ErrorCase = {
  readonly status: number;
  readonly body: string;
  readonly fields?: Fields;
  readonly error: { readonly message: string; readonly type: string; readonly code: unknown; readonly param: unknown };
};

const PAGE = `<html>\r\n<head><title>502 Bad Gateway</title><style>p { color: red }</style></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`;
const plain = (message: string, type: string) => ({ message, type, code: null, param: null });

const ERRORS: Readonly<Record<string, ErrorCase>> = {
  "OpenAI's shape": {
    status: 429,
    body: JSON.stringify({ error: { message: "Rate limit reached.", type: "tokens", param: null, code: "rate_limit_exceeded" } }),
    fields: { ...JSON_FIELDS, "retry-after": "7", "x-request-id": "req_1" },
    error: { message: "Rate limit reached.", type: "tokens", code: "rate_limit_exceeded", param: null },
  },
  "OpenAI's shape with a parameter": {
    status: 400,
    body: JSON.stringify({ error: { message: "Unknown model.", type: "invalid_request_error", param: "model", code: "model_not_found" } }),
    error: { message: "Unknown model.", type: "invalid_request_error", code: "model_not_found", param: "model" },
  },
  "FastAPI's text": {
    status: 404,
    body: '{"detail":"Not Found"}',
    error: plain("Not Found", "invalid_request_error"),
  },
  "FastAPI's list": {
    status: 422,
    body: JSON.stringify({ detail: [{ type: "missing", loc: ["body", "input"], msg: "Field required", input: {} }] }),
    error: { message: "input: Field required", type: "invalid_request_error", code: null, param: "input" },
  },
  "Lightspeed's object": {
    status: 401,
    body: JSON.stringify({ detail: { response: "Missing or invalid credentials provided by client", cause: "No token found" } }),
    error: plain("Missing or invalid credentials provided by client: No token found", "invalid_request_error"),
  },
  "an error that is a text": { status: 403, body: '{"error":"forbidden"}', error: plain("forbidden", "invalid_request_error") },
  "a flat object": {
    status: 500,
    body: JSON.stringify({ object: "error", message: "out of memory", type: "InternalServerError", param: null, code: 500 }),
    error: { message: "out of memory", type: "InternalServerError", code: 500, param: null },
  },
  "a page": { status: 502, body: PAGE, fields: { "content-type": "text/html" }, error: plain("502 Bad Gateway nginx", "server_error") },
  "a text": {
    status: 503,
    body: "no healthy upstream",
    fields: { "content-type": "text/plain" },
    error: plain("no healthy upstream", "server_error"),
  },
  nothing: { status: 500, body: "", error: plain("the backend answered 500 and said nothing", "server_error") },
  "JSON that says nothing": { status: 400, body: "{}", error: plain("the backend answered 400 and said nothing", "invalid_request_error") },
  "a status of its own": { status: 529, body: '{"error":{"message":"Overloaded"}}', error: plain("Overloaded", "server_error") },
};

describe.each(ENGINES)("what a backend answers, with the %s engine", (engine) => {
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

  test.each(Object.entries(ERRORS))(
    "an error as %s: the same status, and its words in OpenAI's shape",
    async (_, { status, body, fields = JSON_FIELDS, error }) => {
      for (const coding of ["identity", "gzip"]) {
        const encoded = coding === "gzip" ? gzipSync(body) : body;
        backend.reply(whole(status, encoded, coding === "gzip" ? { ...fields, "content-encoding": "gzip" } : fields));
        for (const asked of [ASKED, STREAMED]) {
          const answer = await post(daemon, CHAT_PATH, asked);
          expect(answer.status).toBe(status);
          expect(answer.headers.get("content-type")).toBe("application/json");
          expect(answer.headers.get("content-encoding")).toBeNull();
          expect(answer.headers.get("x-faultproxy-error")).toBeNull();
          for (const name of ["retry-after", "x-request-id"]) expect(answer.headers.get(name)).toBe(fields[name] ?? null);
          expect(answer.json()).toEqual({ error });
        }
      }
    },
  );

  test("the SDK throws by status, with the backend's words", async () => {
    backend.reply(whole(429, ERRORS["OpenAI's shape"]?.body ?? "", { ...JSON_FIELDS, "retry-after": "7" }));
    for (const call of [openai.chat.completions.create(ASKED), openai.chat.completions.create(STREAMED)]) {
      const error = await thrownBy(call);
      expect(error).toBeInstanceOf(OpenAI.RateLimitError);
      expect(error).toMatchObject({ code: "rate_limit_exceeded", type: "tokens", message: "429 Rate limit reached." });
    }
    const anthropic = await thrownBy(anthropicAt(daemon).messages.create({ model: "m", max_tokens: 9, messages: ASKED.messages }));
    expect(anthropic).toMatchObject({
      status: 429,
      error: { type: "error", error: { type: "rate_limit_error", message: "Rate limit reached." } },
    });
  });

  test("an error that comes with 200 is one by its code", async () => {
    const failed = {
      ...JSON.parse(WHOLE.toString()),
      status: "failed",
      output: [],
      error: { code: "rate_limit_exceeded", message: "Slow down." },
    };
    backend.reply(whole(200, JSON.stringify(failed)));
    for (const asked of [ASKED, STREAMED]) {
      const answer = await post(daemon, CHAT_PATH, asked);
      expect(answer.status).toBe(429);
      expect(answer.json()).toMatchObject({ error: { message: "Slow down.", code: "rate_limit_exceeded" } });
    }
  });

  test("a whole answer where a stream was asked for becomes a stream", async () => {
    backend.reply(whole(200, WHOLE));
    const runner = openai.chat.completions.stream({ ...ASKED, stream_options: { include_usage: true } });
    const final = await runner.finalChatCompletion();
    expect(final).toMatchObject({ choices: [{ finish_reason: "stop", message: { content: TEXT } }], usage: { completion_tokens: 87 } });
  });

  /** Answers that are right, and labelled or packed otherwise than was asked for. */
  const ODD: readonly (readonly [what: string, reply: Reply, stream: boolean])[] = [
    ["a whole answer with gzip", whole(200, gzipSync(WHOLE), { ...JSON_FIELDS, "content-encoding": "gzip" }), false],
    ["a whole answer with gzip in place of a stream", whole(200, gzipSync(WHOLE), { ...JSON_FIELDS, "content-encoding": "gzip" }), true],
    ["a whole answer as text/plain", whole(200, WHOLE, { "content-type": "text/plain" }), false],
    ["a whole answer as text/html", whole(200, WHOLE, { "content-type": "text/html" }), false],
    ["a whole answer of no type", whole(200, WHOLE, {}), false],
    ["a whole answer in chunks", played(WHOLE, { fields: JSON_FIELDS, chunkBytes: 100 }), false],
    ["a whole answer with 201", whole(201, WHOLE), false],
    ["a stream as text/plain", played(STREAM, { fields: { "content-type": "text/plain" } }), true],
    ["a stream of no type", played(STREAM, { fields: {} }), true],
    ["a stream with a length", whole(200, STREAM, SSE_FIELDS), true],
    ["a stream with CRLF", played(Buffer.from(STREAM.toString().replaceAll("\n", "\r\n")), { chunkBytes: 33 }), true],
  ];
  test.each(ODD)("%s is taken", async (_, reply, stream) => {
    backend.reply(reply);
    const { choices } = stream
      ? await openai.chat.completions.stream(ASKED).finalChatCompletion()
      : await openai.chat.completions.create(ASKED);
    expect(choices[0]).toMatchObject({ finish_reason: "stop", message: { content: TEXT } });
  });

  const NO_ANSWERS: readonly (readonly [what: string, reply: Reply, streams: readonly boolean[], message: RegExp])[] = [
    ["an empty body", whole(200, ""), [false, true], /200 with an empty body, which is no answer of the Responses API/],
    ["204", ({ socket }) => void socket.write("HTTP/1.1 204 No Content\r\n\r\n"), [false, true], /204 with an empty body/],
    ["no JSON", whole(200, "it works"), [false, true], /200 with application\/json, which is no answer/],
    ["a list", whole(200, "[]"), [false, true], /which is no answer/],
    ["JSON of something else", whole(200, '{"status":"ok"}'), [false, true], /no response of the Responses API/],
    ["a page", whole(200, PAGE, { "content-type": "text/html" }), [false, true], /200 with text\/html, which is no answer/],
    ["a stream where none was asked for", played(STREAM), [false], /200 with text\/event-stream, which is no answer/],
    ["an unknown content coding", whole(200, WHOLE, { ...JSON_FIELDS, "content-encoding": "rot13" }), [false, true], /rot13/],
    [
      "a stream with gzip",
      played(gzipSync(STREAM), { fields: { ...SSE_FIELDS, "content-encoding": "gzip" }, end: "open" }),
      [true],
      /content-encoding gzip/,
    ],
    ["a whole answer that is cut", played(WHOLE.subarray(0, 500), { fields: JSON_FIELDS, end: "fin" }), [false, true], /was cut/],
    ["a whole answer that is reset", played(WHOLE.subarray(0, 500), { fields: JSON_FIELDS, end: "rst" }), [false, true], /was cut/],
    [
      "a redirect",
      whole(307, "", { location: "https://other.example/v1/responses?key=secret" }),
      [false, true],
      /307, a redirect to https:\/\/other\.example\/v1\/responses, which is not followed/,
    ],
    [
      "a page about our certificate",
      whole(400, PAGE.replaceAll("502 Bad Gateway", "400 No required SSL certificate was sent"), { "content-type": "text/html" }),
      [false, true],
      /wants a client certificate, or another one: it answered 400 .*auth\.cert_file/,
    ],
    ["a redirect to nowhere", whole(302, ""), [false, true], /302, a redirect/],
    ["not modified", ({ socket }) => void socket.write("HTTP/1.1 304 Not Modified\r\n\r\n"), [false], /304/],
  ];
  test.each(NO_ANSWERS)("%s is no answer: 502 in OpenAI's shape", async (_, reply, streams, message) => {
    backend.reply(reply);
    for (const stream of streams) {
      const answer = await post(daemon, CHAT_PATH, { ...ASKED, stream });
      expect(answer.status).toBe(502);
      expect(answer.headers.get("location")).toBeNull();
      const { error } = answer.json() as { error: Record<string, unknown> };
      expect(Object.keys(error).toSorted()).toEqual(["code", "message", "param", "type"]);
      expect(error.message).toMatch(message);
      expect(answer.text).not.toContain("secret");
    }
  });

  test("a backend whose answer is not taken is let go", async () => {
    backend.reply(played(gzipSync(STREAM), { fields: { ...SSE_FIELDS, "content-encoding": "gzip" }, end: "open" }));
    await post(daemon, CHAT_PATH, STREAMED);
    await backend.last().gone;
    backend.reply(({ socket }) => void socket.write("HTTP/1.1 302 Found\r\nlocation: /x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"));
    await post(daemon, CHAT_PATH, STREAMED);
    await backend.last().gone;
  });

  test("a backend that is not there, or too slow: 502 and 504 in OpenAI's shape", async () => {
    const away = await startTranslating(engine, [`endpoint = "http://127.0.0.1:${await freePort()}/v1"`, 'dialect = "responses"']);
    const slow = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "responses"', "timeout = 0.2"]);
    try {
      for (const asked of [ASKED, STREAMED]) {
        const refused = await post(away, CHAT_PATH, asked);
        expect(refused.status).toBe(502);
        expect(refused.json()).toMatchObject({
          error: { message: expect.stringMatching(/^faultproxy: /), type: expect.any(String), param: null },
        });
        backend.reply(() => {});
        const late = await post(slow, CHAT_PATH, asked);
        expect(late.status).toBe(504);
        expect(late.json()).toMatchObject({ error: { message: expect.stringContaining("did not begin its response within 0.2 s") } });
        await backend.last().gone;
      }
      // Once it has begun, a stream may take its time.
      const came = Promise.withResolvers<void>();
      setTimeout(came.resolve, 300);
      backend.reply(played(STREAM.subarray(0, 2_000), { end: "open", until: came.promise }));
      const streaming = post(slow, CHAT_PATH, STREAMED);
      await came.promise;
      const { socket } = backend.last();
      socket.write(`${(STREAM.length - 2_000).toString(16)}\r\n`);
      socket.write(STREAM.subarray(2_000));
      socket.write("\r\n0\r\n\r\n");
      expect((await streaming).text).toEndWith("data: [DONE]\n\n");
    } finally {
      await Promise.all([away.stop(), slow.stop()]);
    }
  });
});
