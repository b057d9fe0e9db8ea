import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { eventsOf, exchangeEvent, type GatewayEvent, gatewayToml, QUICK, startGateway } from "./support/gateway-daemon.ts";
import { BODY, CHAT, chatBody, inFront, type Pair, post } from "./support/gateway-pair.ts";
import { told } from "./support/gateway-sdks.ts";
import {
  both,
  CHAT_ANSWER,
  chatChunk,
  DOWN,
  GOOD,
  GOOD_STREAM,
  openaiError,
  type Reply,
  SILENT,
  says,
  startScript,
  streams,
  writes,
} from "./support/gateway-upstream.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { SDK_CLIENTS, SDK_NAMES, type SdkName } from "./support/sdk-clients.ts";
import { freePort } from "./support/servers.ts";

const STREAM_BODY = chatBody({ stream: true });

async function waitsOf(daemon: TestDaemon): Promise<readonly number[]> {
  return (await eventsOf(daemon, "retry")).map(({ waitMs }) => waitMs);
}

const storyOf = ({ attempt, class: of, status }: GatewayEvent) => `${attempt} ${of} ${status}`;

describe.each(ENGINES)("faults on the target's side with the %s engine", (engine) => {
  let daemon: TestDaemon;
  let exchanges = 0;
  beforeAll(async () => {
    daemon = await startGateway(engine, { retry: QUICK, breaker: { failure_threshold: 100 } }, "--simulate");
  });
  afterAll(() => daemon.stop());
  beforeEach(async () => {
    await daemon.command("clear");
  });

  /** What the client saw, how often the target was asked, and what came between. */
  async function asked(name: SdkName, streamed: boolean) {
    const before = (await eventsOf(daemon, "retry")).length;
    const client = SDK_CLIENTS[name]({ origin: daemon.origin });
    const { answer, error } = streamed
      ? await client.streamed()
      : await client.whole().then(
          (found) => ({ answer: found, error: undefined }),
          (thrown: unknown) => ({ answer: undefined, error: thrown }),
        );
    const seen = error === undefined ? `answer of ${answer?.outputTokens} tokens` : told(error);
    const { gateway } = await exchangeEvent(daemon, ++exchanges);
    const retries = (await eventsOf(daemon, "retry")).slice(before);
    return { seen, attempts: gateway?.attempts, failure: gateway?.failure, retries };
  }

  const ANSWER = "answer of 24 tokens";
  const GIVEN_UP: Readonly<Record<SdkName, string>> = {
    chat: "InternalServerError 503 provider_degraded",
    responses: "InternalServerError 503 provider_degraded",
    messages: "ServiceUnavailableError 503 provider_degraded",
    gemini: "ApiError 503 provider_degraded",
  };
  const STATUS: Readonly<Record<SdkName, number>> = { chat: 500, responses: 500, messages: 529, gemini: 503 };

  describe.each(SDK_NAMES)("%s", (name) => {
    test.each(["whole", "streamed"])("u 2: a %s answer after two retries", async (way) => {
      await daemon.command("u 2 side=upstream");
      const { seen, attempts, failure, retries } = await asked(name, way === "streamed");
      expect({ seen, attempts, failure }).toEqual({ seen: ANSWER, attempts: 3, failure: null });
      expect(retries.map(storyOf)).toEqual([`1 degraded ${STATUS[name]}`, `2 degraded ${STATUS[name]}`]);
    });

    test.each(["whole", "streamed"])("u 3: a %s one is given up after them", async (way) => {
      await daemon.command("u 3 side=upstream");
      const { seen, attempts, failure, retries } = await asked(name, way === "streamed");
      expect({ seen, attempts, failure }).toEqual({ seen: GIVEN_UP[name], attempts: 3, failure: "degraded" });
      expect(retries.length).toBe(2);
      expect(await asked(name, way === "streamed")).toMatchObject({ seen: ANSWER, attempts: 1 });
    });

    // FIN before an answer needs raw sockets.
    test.each(["reset 2", ...(engine === "wire" ? ["close 2"] : []), "force_transient_recover"])("%s: healed", async (command) => {
      await daemon.command(`${command} side=upstream`);
      const { seen, failure, attempts } = await asked(name, false);
      expect({ seen, failure, attempts }).toEqual({ seen: ANSWER, failure: null, attempts: command.endsWith("2") ? 3 : 2 });
    });

    test("a client-side fault stands in the target's place: nobody is asked", async () => {
      await daemon.command("u");
      const { seen, attempts, retries } = await asked(name, false);
      expect(seen).toContain(String(STATUS[name]));
      expect({ attempts, retries }).toEqual({ attempts: 0, retries: [] });
      expect(await asked(name, false)).toMatchObject({ seen: ANSWER, attempts: 1 });
    });
  });

  /** The shortest hints that providers have; Anthropic's is a second. */
  test.each(["chat", "responses", "messages", "gemini"] as const)("r with a hint: %s never sees the rate limit", async (name) => {
    await daemon.command("r retry_after=20ms side=upstream");
    const { seen, attempts, retries } = await asked(name, false);
    expect({ seen, attempts }).toEqual({ seen: ANSWER, attempts: 2 });
    expect(retries.map(({ waitMs }) => waitMs)).toEqual([name === "messages" ? 1_000 : 20]);
  });
});

describe.each(ENGINES)("transport failures with the %s engine", (engine) => {
  const LENGTH = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n";
  const CHUNKED = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
  const FAILURES: readonly (readonly [name: string, Reply, status: number | null])[] = [
    ["a reset before the head", writes("", "rst"), null],
    ["an end before the head", writes("", "fin"), null],
    ["a reset in the middle of the head", writes("HTTP/1.1 200 OK\r\ncontent-ty", "rst"), null],
    ["bytes that are no HTTP", writes("SSH-2.0-OpenSSH_9.9\r\n", "fin"), null],
    ["a whole answer that is cut", writes(`${LENGTH}{"id":`, "fin"), null],
    ["a whole answer that is reset", writes(`${LENGTH}{"id":`, "rst"), null],
    ["a whole answer without the last chunk", writes(`${CHUNKED}6\r\n{"id":\r\n`, "fin"), null],
    [
      "a whole answer that is cut where only its end of the connection ends it",
      writes(`${LENGTH.replace(/content-length.*\r\n/, "")}{"id":`, "fin"),
      null,
    ],
    ["a whole answer that is cut inside its text", says(200, '{"id":"chatcmpl-1","choices":[{"mess'), null],
    ["a whole answer of broken chunks", writes(`${CHUNKED}6\r\n{"id":\r\nzz\r\n`, "fin"), null],
    // `fetch` loses the head that comes in one turn with a FIN.
    ...(engine === "serve" ? [] : [["an error that is cut", writes(`${LENGTH.replace("200 OK", "500 No")}{`, "fin"), 500] as const]),
  ];

  let running: Pair;
  let exchanges = 0;
  beforeAll(async () => {
    running = await inFront({ retry: QUICK }, [GOOD], engine);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  test.each(FAILURES)("%s is healed, and else told as the gateway's own", async (_name, failing, status) => {
    const { daemon, upstream } = running;
    const [asked, retries] = [upstream.asked.length, (await eventsOf(daemon, "retry")).length];
    upstream.follow(failing, GOOD);
    const healed = await post(daemon);
    expect([healed.status, await healed.json()]).toEqual([200, CHAT_ANSWER]);
    expect((await eventsOf(daemon, "retry")).slice(retries).map(storyOf)).toEqual([`1 degraded ${status}`]);
    expect(upstream.asked.length).toBe(asked + 2);

    upstream.follow(failing);
    const given = await post(daemon);
    expect(given.status).toBe(status ?? 502);
    expect(given.headers.get("x-faultproxy-error") ?? "its own").toMatch(
      status === null ? /^upstream_(closed_early|protocol)$/ : /^its own$/,
    );
    await given.arrayBuffer();
    expect(upstream.asked.length).toBe(asked + 5);
    exchanges += 2;
    expect((await exchangeEvent(daemon, exchanges)).gateway).toMatchObject({ attempts: 3, failure: "degraded" });
  });

  test("a target that refuses connections is asked until it takes them", async () => {
    const port = await freePort();
    const retry = { max_transient_retries: 10, transient_delay: 0.02 };
    const daemon = await startGateway(engine, { retry, providers: { openai: { upstream: `http://127.0.0.1:${port}` } } });
    const answer = post(daemon);
    await daemon.event(({ type, status }) => type === "retry" && status === null);
    using late = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => Response.json(CHAT_ANSWER) });
    expect(await (await answer).json()).toEqual(CHAT_ANSWER);
    expect((await exchangeEvent(daemon)).gateway).toMatchObject({ failure: null });
    await late.stop();
    await daemon.stop();
  });
});

describe.each(ENGINES)("the request of a second attempt with the %s engine", (engine) => {
  let running: Pair;
  beforeAll(async () => {
    running = await inFront({ retry: { ...QUICK, max_body_bytes: 300_000 } }, [DOWN, GOOD], engine);
  });
  afterAll(() => running[Symbol.asyncDispose]());
  beforeEach(() => running.upstream.follow(DOWN, GOOD));

  const LARGE = BODY.replace("hello", "x".repeat(200_000));
  const fields = {
    "X-Odd-Case": "Kept",
    "x-odd-case": "twice",
    Authorization: "Bearer sk-test",
    "Content-Type": "application/json",
    "accept-encoding": "gzip, br",
    Cookie: "a=b; c=d",
  };
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const chunkedHead = request("POST", CHAT, { ...fields, "Transfer-Encoding": "chunked", "content-length": "" }).replace(
    /content-length: [^\r]*\r\n/,
    "",
  );
  const gzipped = Buffer.from(Bun.gzipSync(Buffer.from(BODY))).toString("latin1");

  test.each<readonly [name: string, sent: string, body: string]>([
    ["a small body", request("POST", CHAT, fields, BODY), BODY],
    ["a large body", request("POST", CHAT, fields, LARGE), LARGE],
    ["a body in chunks", chunkedHead + chunk(BODY.slice(0, 9)) + chunk(BODY.slice(9)) + chunk(""), BODY],
    ["a large body in chunks", chunkedHead + chunk(LARGE.slice(0, 99_999)) + chunk(LARGE.slice(99_999)) + chunk(""), LARGE],
    [
      "a compressed body",
      request("POST", CHAT, { ...fields, "Content-Encoding": "gzip", "content-length": String(gzipped.length) }, "") + gzipped,
      gzipped,
    ],
    ["a body that is no JSON", request("POST", CHAT, fields, "{broken"), "{broken"],
    ["no body", request("POST", CHAT, fields), ""],
  ])("%s: head and body are those of the first", async (_name, sent, body) => {
    const { daemon, upstream } = running;
    const before = upstream.asked.length;
    const got = await raw(daemon.port, Buffer.from(sent, "latin1"), { until: complete });
    expect(got.status).toBe(200);
    const [first, second, ...more] = await Promise.all(upstream.asked.slice(before).map(({ message }) => message));
    expect(more).toEqual([]);
    expect(second?.payload === body).toBeTrue();
    expect(first?.payload === body).toBeTrue();
    expect(second?.head).toBe(first?.head ?? "none");
  });

  test("a body above max_body_bytes goes once, in a length or in chunks", async () => {
    const { daemon, upstream } = running;
    const huge = BODY.replace("hello", "x".repeat(300_000));
    for (const sent of [request("POST", CHAT, fields, huge), chunkedHead + chunk(huge) + chunk("")]) {
      const before = upstream.asked.length;
      upstream.follow(DOWN, GOOD);
      const got = await raw(daemon.port, sent, { until: complete });
      expect(got.status).toBe(500);
      expect(upstream.asked.length).toBe(before + 1);
      expect((await upstream.asked.at(-1)?.message)?.payload === huge).toBeTrue();
    }
  });
});

describe("which answers are asked for again", () => {
  const RATE = openaiError("requests", "rate_limit_exceeded");
  const limited = (fields: Readonly<Record<string, string>>) => says(429, RATE, { "x-ratelimit-remaining-requests": "1", ...fields });
  const FINAL: readonly (readonly [name: string, status: number, body: object, fields?: Readonly<Record<string, string>>])[] = [
    ["quota", 429, openaiError("insufficient_quota", "insufficient_quota")],
    ["payment", 402, openaiError("x", null)],
    ["auth", 401, openaiError("invalid_request_error", "invalid_api_key")],
    ["permission", 403, openaiError("request_forbidden", null)],
    ["context", 400, openaiError("invalid_request_error", "context_length_exceeded")],
    ["content filter", 400, openaiError("invalid_request_error", "content_policy_violation")],
    ["a mistake of the client's", 422, openaiError("invalid_request_error", null)],
    ["a model that is not there", 404, openaiError("invalid_request_error", "model_not_found")],
    ["what the target says is final", 503, openaiError("server_error", null), { "x-should-retry": "false" }],
    ["another gateway that has given up", 503, openaiError("provider_degraded", null), { "x-llm-proxy-error-class": "provider_degraded" }],
  ];
  let running: Pair;
  beforeAll(async () => {
    running = await inFront({ retry: { ...QUICK, max_retry_after: 1 } }, [GOOD]);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  async function seen(...script: readonly Reply[]) {
    const { daemon, upstream } = running;
    const [before, retries] = [upstream.asked.length, (await eventsOf(daemon, "retry")).length];
    upstream.follow(...script);
    const { status, headers, text } = await post(daemon).then(async (answer) => ({
      status: answer.status,
      headers: answer.headers,
      text: await answer.text(),
    }));
    const waits = (await eventsOf(daemon, "retry")).slice(retries).map(({ waitMs }) => waitMs);
    const asked = upstream.asked.slice(before);
    return { status, headers, text, attempts: asked.length, waits, times: asked.map(({ atMs }) => atMs) };
  }

  test.each(FINAL)("%s: asked once, and its own answer passed on", async (_name, status, body, fields = {}) => {
    const got = await seen(says(status, body, { ...fields, "x-own": "yes" }), GOOD);
    expect(got).toMatchObject({ status, text: JSON.stringify(body), attempts: 1, waits: [] });
    expect(got.headers.get("x-own")).toBe("yes");
  });

  test.each<readonly [name: string, Reply, waitMs: number]>([
    ["retry-after-ms", limited({ "retry-after-ms": "30", "retry-after": "1" }), 30],
    ["retry-after in seconds", limited({ "retry-after": "1" }), 1_000],
    ["retry-after with a fraction", limited({ "retry-after": "0.04" }), 40],
    ["the words of the body", says(429, openaiError("tokens", "rate_limit_exceeded", "Please try again in 25ms.")), 25],
  ])("a rate limit waits for %s, no less", async (_name, reply, waitMs) => {
    const { status, waits, attempts, times } = await seen(reply, GOOD);
    expect({ status, waits, attempts }).toEqual({ status: 200, waits: [waitMs], attempts: 2 });
    // Timers may be early by less than a millisecond.
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(waitMs - 2);
  });

  test.each<readonly [name: string, fields: Readonly<Record<string, string>>]>([
    ["seconds", { "retry-after": "3" }],
    ["milliseconds", { "retry-after-ms": "2001" }],
    ["a date", { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() }],
  ])("one that asks for more than max_retry_after in %s is answered at once, as it came", async (_name, fields) => {
    const got = await seen(limited(fields), GOOD);
    expect(got).toMatchObject({ status: 429, attempts: 1, waits: [], text: JSON.stringify(RATE) });
    for (const [name, value] of Object.entries(fields)) expect(got.headers.get(name)).toBe(value);
  });

  test("a hint in the past or of zero says nothing: the backoff counts", async () => {
    for (const hint of ["0", "-5", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
      const { status, waits } = await seen(limited({ "retry-after": hint }), GOOD);
      expect(status).toBe(200);
      expect(waits.length).toBe(1);
      expect(waits[0]).toBeWithin(2, 4);
    }
  });

  test("a target that is down can lengthen the wait, but not for ever", async () => {
    const down = (seconds: string) => says(503, openaiError("server_error", null), { "retry-after": seconds });
    const { status, waits } = await seen(down("0.03"), down("0.001"), GOOD);
    expect({ status, first: waits[0] }).toEqual({ status: 200, first: 30 });
    expect(waits[1]).toBeWithin(4, 7);
    expect(await seen(down("86400"), GOOD)).toMatchObject({ status: 200, waits: [1_000] });
  });

  test("an error inside a whole 200 is asked for again, like its HTTP form", async () => {
    const inside = (code: number) => says(200, { error: { code, message: "no" } });
    expect(await seen(inside(503), GOOD)).toMatchObject({ status: 200, text: JSON.stringify(CHAT_ANSWER), attempts: 2 });
    expect(await seen(inside(429), GOOD)).toMatchObject({ status: 200, text: JSON.stringify(CHAT_ANSWER), attempts: 2 });
    const flat = says(200, { error_code: "TEMPORARILY_UNAVAILABLE", message: "no" });
    expect(await seen(flat, GOOD)).toMatchObject({ status: 200, text: JSON.stringify(CHAT_ANSWER), attempts: 2 });
    expect(await seen(inside(401), GOOD)).toMatchObject({ status: 200, text: '{"error":{"code":401,"message":"no"}}', attempts: 1 });
    expect(await seen(inside(503))).toMatchObject({ status: 200, text: '{"error":{"code":503,"message":"no"}}', attempts: 3 });
  });

  test("what is no answer of the dialect, but no broken one either, is passed on", async () => {
    for (const [body, fields] of [
      ["<html>", { "content-type": "text/html" }],
      ["", {}],
      ["data: {}", {}],
      ['{"id":', { "content-type": "text/plain" }],
    ] as const) {
      expect(await seen(says(200, body, fields), GOOD)).toMatchObject({ status: 200, text: body, attempts: 1 });
    }
  });

  test("rate limits and failures have retries of their own", async () => {
    const got = await seen(DOWN, limited({}), DOWN, limited({}), GOOD);
    expect(got).toMatchObject({ status: 200, attempts: 5 });
    expect(await seen(DOWN, limited({}), DOWN, limited({}), DOWN, GOOD)).toMatchObject({ status: 500, attempts: 5 });
  });

  test("nothing of a failed attempt reaches the client: no field, no byte, no interim answer", async () => {
    const early = writes("HTTP/1.1 103 Early Hints\r\nx-first: hint\r\n\r\n");
    const first = says(500, openaiError("server_error", "first"), { "x-first": "yes", "set-cookie": "first=1", "retry-after": "0.01" });
    const failing = says(503, openaiError("server_error", "first"), { "x-first": "yes", "set-cookie": "first=1" });
    for (const [replies, body] of [
      [[both(early, failing), GOOD], BODY],
      [[both(early, failing), GOOD_STREAM], STREAM_BODY],
      [[first, GOOD], BODY],
    ] as const) {
      running.upstream.follow(...replies);
      const got = await raw(running.daemon.port, request("POST", CHAT, {}, body), { until: complete });
      expect(got.status).toBe(200);
      expect(got.text).not.toContain("first");
      expect(got.headers.map(([name]) => name.toLowerCase())).not.toContain("retry-after");
      expect(got.text).toContain("healed");
    }
  });
});

describe("backoff", () => {
  test("doubles, with up to half of it more, and not the same for all", async () => {
    const retry = { transient_delay: 0.004, rate_limit_delay: 0.006, max_transient_retries: 4, max_rate_limit_retries: 3 };
    await using running = await inFront({ retry }, [DOWN]);
    const { daemon, upstream } = running;
    await Promise.all(Array.from({ length: 8 }, async () => (await post(daemon)).arrayBuffer()));
    upstream.follow(says(429, openaiError("requests", "rate_limit_exceeded")));
    await Promise.all(Array.from({ length: 8 }, async () => (await post(daemon)).arrayBuffer()));
    const retries = await eventsOf(daemon, "retry");
    const waits = (of: string, attempt: number) => retries.filter((each) => each.class === of && each.attempt === attempt);
    for (const [of, first, count] of [
      ["degraded", 4, 4],
      ["global_rate_limit", 6, 3],
    ] as const) {
      for (let attempt = 1; attempt <= count; attempt++) {
        const own = waits(of, attempt).map(({ waitMs }) => waitMs);
        const shortest = first * 2 ** (attempt - 1);
        expect(own.length).toBe(8);
        for (const waitMs of own) expect(waitMs).toBeWithin(shortest, shortest * 1.5 + 1);
      }
      expect(waits(of, count + 1)).toEqual([]);
      expect(new Set(waits(of, count).map(({ waitMs }) => waitMs)).size).toBeGreaterThan(2);
    }
  });

  test("0 retries are none, of either kind", async () => {
    await using running = await inFront({ retry: { ...QUICK, max_transient_retries: 0, max_rate_limit_retries: 0 } }, [DOWN, GOOD]);
    const { daemon, upstream } = running;
    expect((await post(daemon)).status).toBe(500);
    upstream.follow(says(429, openaiError("requests", "rate_limit_exceeded"), { "retry-after-ms": "1" }), GOOD);
    expect((await post(daemon)).status).toBe(429);
    upstream.follow(writes("", "rst"), GOOD);
    expect((await post(daemon)).status).toBe(502);
    expect(upstream.asked.length).toBe(3);
    expect(await waitsOf(daemon)).toEqual([]);
  });

  test("without the gateway nothing is asked twice, and errors are the target's", async () => {
    await using running = await inFront({}, [DOWN, GOOD]);
    expect((await post(running.daemon)).status).toBe(500);
    expect(running.upstream.asked.length).toBe(1);
  });
});

describe.each(ENGINES)("clients that leave, with the %s engine", (engine) => {
  test.concurrent("in the middle of a wait: nobody is asked any more", async () => {
    await using running = await inFront({ retry: { transient_delay: 30 } }, [DOWN, GOOD], engine);
    const { daemon, upstream } = running;
    const client = rawConnection(daemon.port, request("POST", CHAT, {}, BODY));
    await daemon.event(({ type }) => type === "retry");
    client.socket.resetAndDestroy();
    const { done, status, gateway } = await exchangeEvent(daemon);
    expect({ done, status, attempts: gateway?.attempts }).toEqual({ done: "client_gone", status: null, attempts: 1 });
    expect(upstream.asked.length).toBe(1);
    // Nothing is left that could ask: the next request is the second.
    upstream.follow(GOOD);
    expect((await post(daemon)).status).toBe(200);
    expect(upstream.asked.length).toBe(2);
  });

  test.concurrent("while the second attempt runs: the target sees it end", async () => {
    await using running = await inFront({ retry: QUICK }, [DOWN, SILENT], engine);
    const { daemon, upstream } = running;
    const client = rawConnection(daemon.port, request("POST", CHAT, {}, BODY));
    const second = await eventually(() => upstream.asked[1], "the second attempt");
    client.socket.resetAndDestroy();
    expect(["fin", "rst"]).toContain(await second.arrived.connection.ended);
    expect(await exchangeEvent(daemon)).toMatchObject({ done: "client_gone", gateway: { attempts: 2, failure: null } });
    expect(upstream.asked.length).toBe(2);
  });

  test.concurrent("before the whole answer is there: it is not asked for again", async () => {
    const half = writes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{");
    await using running = await inFront({ retry: QUICK }, [half, GOOD], engine);
    const { daemon, upstream } = running;
    const client = rawConnection(daemon.port, request("POST", CHAT, {}, BODY));
    const first = await eventually(() => upstream.asked[0], "the first attempt");
    client.socket.resetAndDestroy();
    expect(["fin", "rst"]).toContain(await first.arrived.connection.ended);
    expect(await exchangeEvent(daemon)).toMatchObject({ done: "client_gone" });
    expect(upstream.asked.length).toBe(1);
  });

  test.concurrent("before a whole answer is there that has to be translated, with the gateway and without", async () => {
    const half = writes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{");
    for (const tables of [{}, { retry: QUICK }]) {
      const upstream = await startScript(half);
      const toml = `[backend]\nendpoint = "${upstream.url}/v1"\ndialect = "responses"\n${gatewayToml(tables)}`;
      const daemon = await startTestDaemon({ engine, toml });
      const client = rawConnection(daemon.port, request("POST", CHAT, {}, BODY));
      const first = await eventually(() => upstream.asked[0], "the first attempt");
      client.socket.resetAndDestroy();
      expect(["fin", "rst"]).toContain(await first.arrived.connection.ended);
      expect(await exchangeEvent(daemon)).toMatchObject({ done: "client_gone", error: null });
      expect(upstream.asked.length).toBe(1);
      await daemon.stop();
      upstream.stop();
    }
  });
});

describe.each(ENGINES)("streams that have begun, with the %s engine", (engine) => {
  const opening = [chatChunk({ role: "assistant", content: "" }), chatChunk({ content: "half" })];
  const error = JSON.stringify(openaiError("server_error", null));
  let running: Pair;
  beforeAll(async () => {
    running = await inFront({ retry: QUICK }, [GOOD_STREAM], engine);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  test.each<readonly [name: string, Reply, failure: string, text: string]>([
    ["that break off", both(streams(opening, false), writes("", "rst")), "degraded", "half"],
    ["that end without their end", streams(opening), "degraded", "half"],
    ["that break off before the first event", both(streams([], false), writes("", "rst")), "degraded", ""],
    ["that are empty", streams([]), "degraded", ""],
    ["with an error after the first words", streams([...opening, error]), "degraded", "half"],
    ["with an error as their first event", streams([error, "[DONE]"]), "degraded", ""],
    [
      "with a rate limit inside",
      streams([...opening, JSON.stringify(openaiError("tokens", "rate_limit_exceeded"))]),
      "global_rate_limit",
      "half",
    ],
  ])("%s are passed on as they are, and not asked for again", async (_name, reply, failure, text) => {
    const { daemon, upstream } = running;
    const before = upstream.asked.length;
    upstream.follow(reply, GOOD_STREAM);
    const { answer } = await SDK_CLIENTS.chat({ origin: daemon.origin }).streamed();
    // `fetch` loses what comes in one turn with an RST.
    expect(engine === "serve" && answer.text === "" ? text : answer.text).toBe(text);
    expect(answer.finish).toBeUndefined();
    expect(upstream.asked.length).toBe(before + 1);
    const count = (
      await eventually(async () => {
        const ended = await eventsOf(daemon, "exchange");
        return ended.length > before ? ended : undefined;
      }, "the end")
    )[before];
    expect(count).toMatchObject({ status: 200, gateway: { attempts: 1, failure, stream: true } });
  });

  test("a 500 before the stream is healed by one", async () => {
    const { daemon, upstream } = running;
    upstream.follow(DOWN, GOOD_STREAM);
    const { answer, error: thrown } = await SDK_CLIENTS.chat({ origin: daemon.origin }).streamed();
    expect(thrown).toBeUndefined();
    expect(answer).toMatchObject({ text: "healed", finish: "stop" });
  });
});

describe("times", () => {
  const PATIENT = { retry: { ...QUICK, transient_delay: 0.02 }, providers: { openai: { timeout: 30 } } };

  test.each(ENGINES)("a silent target is asked once (%s)", async (engine) => {
    await using running = await inFront({ retry: QUICK, providers: { openai: { timeout: 0.15 } } }, [SILENT, GOOD], engine);
    const { daemon, upstream } = running;
    const answer = await post(daemon);
    expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "upstream_timeout"]);
    expect(upstream.asked.length).toBe(1);
    expect((await exchangeEvent(daemon)).gateway).toMatchObject({ attempts: 1, failure: "degraded" });
  });

  const budget = (value: string) => ({ headers: { "X-LLM-Proxy-Timeout-Ms": value } });

  test.each(ENGINES)("x-llm-proxy-timeout-ms shortens a target's time, and is the request's own matter (%s)", async (engine) => {
    await using running = await inFront({ ...PATIENT, breaker: { failure_threshold: 1 } }, [SILENT], engine);
    const { daemon, upstream } = running;
    const answer = await post(daemon, budget("120"));
    expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "time_budget"]);
    expect(upstream.asked.length).toBe(1);
    expect((await exchangeEvent(daemon)).gateway).toMatchObject({ attempts: 1, failure: null });
    upstream.follow(GOOD);
    expect((await post(daemon)).status).toBe(200);
  });

  test("it never lengthens it", async () => {
    await using running = await inFront({ retry: QUICK, providers: { openai: { timeout: 0.15 } } }, [SILENT]);
    const answer = await post(running.daemon, budget("60000"));
    expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "upstream_timeout"]);
  });

  test("it holds for all attempts and the waits between them together", async () => {
    await using running = await inFront({ ...PATIENT, retry: { transient_delay: 20 } }, [DOWN, GOOD]);
    const { daemon, upstream } = running;
    // The wait alone would take longer: the client gets what there is.
    expect((await post(daemon, budget("5000"))).status).toBe(500);
    expect(upstream.asked.length).toBe(1);
    expect(await waitsOf(daemon)).toEqual([]);
  });

  test("it ends the second attempt too", async () => {
    await using running = await inFront(PATIENT, [DOWN, SILENT]);
    const { daemon, upstream } = running;
    const answer = await post(daemon, budget("1000"));
    expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "time_budget"]);
    expect(upstream.asked.length).toBe(2);
  });

  test("it ends a target's fault that hangs, of the built-in provider too", async () => {
    await using daemon = await startGateway("wire", { retry: QUICK }, "--simulate");
    await daemon.command("hang side=upstream");
    const answer = await post(daemon, budget("100"));
    expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "time_budget"]);
  });

  test("what is no number of milliseconds is refused, and nobody asked", async () => {
    await using running = await inFront({ retry: QUICK }, [GOOD]);
    const { daemon, upstream } = running;
    for (const value of ["0", "-1", "1.5", "abc", "1e3", "", "12345678901", "5, 6"]) {
      const got = await raw(daemon.port, request("POST", CHAT, { "x-llm-proxy-timeout-ms": value }, BODY), { until: complete });
      expect([value, got.status]).toEqual([value, 400]);
      expect(got.headers).toContainEqual(["x-faultproxy-error", "invalid_timeout"]);
      expect(JSON.parse(got.body)).toMatchObject({ error: { code: "invalid_timeout", type: "invalid_request_error" } });
    }
    expect(upstream.asked.length).toBe(0);
  });

  test("targets do not get to see it, whatever they are asked for", async () => {
    await using running = await inFront({ retry: QUICK }, [GOOD]);
    const { daemon, upstream } = running;
    await (await post(daemon, budget("60000"))).arrayBuffer();
    await (await fetch(`${daemon.origin}/v1/models`, budget("60000"))).arrayBuffer();
    const heads = await Promise.all(upstream.asked.map(async ({ message }) => (await message).head));
    expect(heads.map((head) => head.split(" ")[0])).toEqual(["POST", "GET"]);
    for (const head of heads) expect(head).not.toMatch(/x-llm-proxy/i);
  });
});
