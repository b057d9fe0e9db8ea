import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { chunked, complete, type RawAnswer, raw, request } from "./support/raw-client.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";

type Target = Awaited<ReturnType<typeof startRawTarget>>;

const CHAT = "/v1/chat/completions";
const BODY = '{ "model":"gpt-4o", "stream":true,"messages":[{"role":"user","content":"\\u00e4"}] }\n';
const STREAM = [
  'data: {"choices":[{"delta":{"content":"a"}}]}\r\n\r\n',
  ': a comment\n\ndata: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
  "data: [DONE]\n\n",
];

const head = (status: number, fields: string) =>
  `HTTP/1.1 ${status} As It Is\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nX-Request-Id: of-the-target\r\n${fields}\r\n`;
const wholeAnswer = (status: number, body: string, type = "application/json") =>
  `${head(status, `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`)}${body}`;
const streamAnswer = `${head(200, "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")}${STREAM.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;

type Case = { readonly bytes: string; readonly answer: string };
const json = { "content-type": "application/json" };
const asked = (fields: Readonly<Record<string, string>>, method = "POST", path = CHAT, body = BODY) =>
  request(method, path, { ...json, ...fields }, body);
const GOOD = wholeAnswer(200, '{"usage":{"prompt_tokens":1,"completion_tokens":1}}');

/** What the gateway would have a part in. */
const CASES: Readonly<Record<string, Case>> = {
  "a whole answer": { bytes: asked({ authorization: "Bearer sk-1" }), answer: GOOD },
  "a stream that nobody asked for its usage": { bytes: asked({}), answer: streamAnswer },
  "an answer that may be compressed": { bytes: asked({ "accept-encoding": "gzip, br" }), answer: GOOD },
  "a request with the gateway's own fields": {
    bytes: asked({ "X-LLM-Proxy-Test-Mode": "force_degraded", "X-LLM-Proxy-Timeout-Ms": "soon", "X-User-Id": "me" }),
    answer: GOOD,
  },
  "a request with the gateway's own parameter": {
    bytes: asked({}, "POST", `${CHAT}?llm_proxy_test_mode=force_degraded&x=1`),
    answer: GOOD,
  },
  "an error that would be tried again": { bytes: asked({}), answer: wholeAnswer(500, '{"error":{"message":"no"}}') },
  "a rate limit": { bytes: asked({}), answer: wholeAnswer(429, '{"error":{"message":"no"}}') },
  "an error in an answer": { bytes: asked({}), answer: wholeAnswer(200, '{"error":{"message":"no","code":500}}') },
  "a page's request": {
    bytes: asked({ origin: "https://page.example" }),
    answer: wholeAnswer(200, "{}").replace("\r\n\r\n", "\r\nAccess-Control-Allow-Origin: https://of-the-target.example\r\n\r\n"),
  },
  "a page's preflight": {
    bytes: request("OPTIONS", CHAT, { origin: "https://page.example", "access-control-request-method": "POST" }),
    answer: wholeAnswer(200, ""),
  },
  "/health": { bytes: request("GET", "/health"), answer: wholeAnswer(200, "of the target", "text/plain") },
  "/metrics with a query": { bytes: request("GET", "/metrics?x=1"), answer: wholeAnswer(200, "of the target", "text/plain") },
};

/** Without what each connection has of its own. */
function fieldsOf({ headers }: Pick<Arrived, "headers"> | RawAnswer, without: RegExp): readonly string[] {
  return headers.filter(([name]) => !without.test(name)).map(([name, value]) => `${name}: ${value}`);
}

/** Bun's fetch and server spell and order fields in their own way, and have some of their own. */
function looseFieldsOf(message: Pick<Arrived, "headers"> | RawAnswer): readonly string[] {
  return fieldsOf(message, /^(?:host|connection|user-agent|accept|content-length|transfer-encoding|keep-alive)$/i)
    .map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .sort();
}

describe.each(ENGINES)("without a feature of the gateway, with the %s engine", (engine) => {
  let target: Target;
  let answer = GOOD;
  let daemon: TestDaemon;
  const state = temporaryFolder();
  beforeAll(async () => {
    target = await startRawTarget(async ({ complete, connection }) => {
      await complete;
      connection.write(answer);
    });
    // What belongs to no feature turns none on.
    const toml = '[server]\nmax_streams = 1000\n[state]\nprefix = "mine"\n[breaker]\nmode = "off"\n';
    daemon = await startTestDaemon({
      engine,
      toml,
      args: ["--upstream", `openai=${target.url}`],
      environment: { XDG_STATE_HOME: state.path },
    });
  });
  afterAll(async () => {
    await daemon.stop();
    target.stop();
    state[Symbol.dispose]();
  });

  test.each(Object.entries(CASES))("%s passes as it does straight to the target", async (_, { bytes, answer: wanted }) => {
    answer = wanted;
    const before = target.arrivals.length;
    const direct = await raw(target.port, Buffer.from(bytes, "latin1"), { until: complete });
    const through = await raw(daemon.port, Buffer.from(bytes, "latin1"), { until: complete });
    // Once each: nothing is tried again.
    const [sent, arrived, ...more] = target.arrivals.slice(before);
    if (sent === undefined || arrived === undefined) throw new Error("a request has not arrived");
    expect(more).toEqual([]);
    const [inOne, inOther] = [await sent.complete, await arrived.complete];
    expect(inOther.startLine).toBe(inOne.startLine);
    expect(inOther.payload).toBe(inOne.payload);
    expect([through.status, chunked(through).text]).toEqual([direct.status, chunked(direct).text]);
    if (engine === "wire") {
      expect(fieldsOf(inOther, /^(?:host|connection)$/i)).toEqual(fieldsOf(inOne, /^(?:host|connection)$/i));
      expect(through.text).toBe(direct.text);
    } else {
      expect(looseFieldsOf(inOther)).toEqual(looseFieldsOf(inOne));
      expect(looseFieldsOf(through)).toEqual(looseFieldsOf(direct));
    }
  });

  test("its events say nothing of a gateway, it has no circuits, and nothing is written", async () => {
    const events = await daemon.events();
    expect(events.length).toBeGreaterThanOrEqual(Object.keys(CASES).length);
    expect(events.filter((event) => "gateway" in event || event.kind === "page")).toEqual([]);
    const answer = await fetch("http://x/v1/breakers", { unix: daemon.socket });
    expect(answer.status).not.toBe(200);
    await answer.text();
    expect(existsSync(state.path) ? readdirSync(state.path) : []).toEqual([]);
    expect(daemon.warnings()).toEqual([]);
  });
});
