import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { ENGINES, eventually, type TestDaemon } from "./support/daemon.ts";
import { circuitOf, circuitsOf, ctl, eventsOf, exchangeEvent, type GatewayTables, QUICK, startGateway } from "./support/gateway-daemon.ts";
import { BODY, chatBody, due, dueSoon, inFront, type Pair, post, posted, reload } from "./support/gateway-pair.ts";
import { told } from "./support/gateway-sdks.ts";
import {
  type Asked,
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
import { SDK_CLIENTS } from "./support/sdk-clients.ts";

const ONCE = { max_transient_retries: 0, max_rate_limit_retries: 0 } as const;
const CIRCUIT = "openai/gpt-4o";

/** One attempt each, three failures, and a cooldown that no test waits for. */
function tables(breaker: GatewayTables["breaker"] = {}, retry: GatewayTables["retry"] = ONCE): GatewayTables {
  return { retry, breaker: { failure_threshold: 3, ...breaker } };
}

const DEGRADED =
  '{"error":{"message":"[LLM_PROXY_PROVIDER_DEGRADED] Provider openai is currently degraded or unavailable. Please try again later.","type":"provider_degraded","code":"provider_degraded"}}';

async function times(count: number, ask: () => Promise<{ readonly status: number }>): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let each = 0; each < count; each++) statuses.push((await ask()).status);
  return statuses;
}

/** Each change of a circuit, as `from>to reason`. */
async function changes(daemon: TestDaemon): Promise<readonly string[]> {
  return (await eventsOf(daemon, "circuit")).map(({ provider, model, from, to, reason }) => `${provider}/${model} ${from}>${to} ${reason}`);
}

describe("opening", () => {
  let shared: Pair;
  beforeAll(async () => {
    shared = await inFront(tables(), [GOOD]);
  });
  afterAll(() => shared[Symbol.asyncDispose]());

  test("at the threshold; then nobody is asked, and the answer is the degraded one, byte for byte", async () => {
    await using running = await inFront(tables(), [DOWN]);
    const { daemon, upstream } = running;
    expect(await times(3, () => posted(daemon))).toEqual([503, 503, 503]);
    expect(upstream.asked.length).toBe(3);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "open", failures: 3 });
    upstream.follow(GOOD);

    const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, BODY), { until: complete });
    const date = got.headers.find(([name]) => name === "date")?.[1] ?? "none";
    expect(got.text).toBe(
      [
        "HTTP/1.1 503 Service Unavailable",
        "content-type: application/json",
        "X-Llm-Proxy-Error-Class: provider_degraded",
        "Retry-After: 300",
        `date: ${date}`,
        `Content-Length: ${DEGRADED.length}`,
        "",
        DEGRADED,
      ].join("\r\n"),
    );
    expect(upstream.asked.length).toBe(3);
    expect(await changes(daemon)).toEqual([`${CIRCUIT} closed>open 3 failures within 120 s`]);
    expect(await exchangeEvent(daemon, 4)).toMatchObject({
      status: 503,
      error: "provider_degraded",
      gateway: { attempts: 0, failure: "degraded" },
    });
  });

  const error = JSON.stringify(openaiError("server_error", null));
  const opening = chatChunk({ role: "assistant", content: "half" });
  const stream = { body: chatBody({ stream: true }) };
  test.each<readonly [name: string, "is a failure" | "is none", Reply, asked?: { readonly body?: string }]>([
    ["a 500", "is a failure", DOWN],
    ["a reset before the head", "is a failure", writes("", "rst")],
    [
      "a cut whole answer",
      "is a failure",
      writes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{", "fin"),
    ],
    ["an error inside a whole 200", "is a failure", says(200, { error: { code: 503, message: "no" } })],
    ["an error as a stream's first event", "is a failure", streams([error]), stream],
    ["an error inside a stream", "is a failure", streams([opening, error, "[DONE]"]), stream],
    ["a stream that ends early", "is a failure", streams([opening]), stream],
    ["a stream of nothing", "is a failure", streams([]), stream],
    ["a good answer", "is none", GOOD],
    ["a good stream", "is none", GOOD_STREAM, stream],
    ["a finished stream without [DONE]", "is none", streams([opening, chatChunk({}, "stop")]), stream],
    ["a refused key", "is none", says(401, openaiError("invalid_request_error", "invalid_api_key"))],
    ["a used up quota", "is none", says(429, openaiError("insufficient_quota", "insufficient_quota"))],
    ["too long an input", "is none", says(400, openaiError("invalid_request_error", "context_length_exceeded"))],
    ["a mistake of the client's", "is none", says(422, openaiError("invalid_request_error", null))],
    ["a local rate limit", "is none", says(429, openaiError("tokens", "rate_limit_exceeded"), { "x-ratelimit-remaining-requests": "4" })],
    ["a first rate limit of the account", "is none", says(429, openaiError("requests", "rate_limit_exceeded"))],
    [
      "an error inside a stream that is the client's",
      "is none",
      streams([JSON.stringify(openaiError("invalid_request_error", null))]),
      stream,
    ],
  ])("%s %s", async (name, what, reply, asked = {}) => {
    const { daemon, upstream } = shared;
    const counts = what === "is a failure";
    const model = `m-${name.replaceAll(" ", "-").replaceAll(/[^\w-]/g, "")}`;
    const body = (asked.body ?? BODY).replace("gpt-4o", model);
    upstream.follow(reply);
    const before = upstream.asked.length;
    for (let each = 0; each < 4; each++) await posted(daemon, { body }).catch(() => {});
    expect(upstream.asked.length - before).toBe(counts ? 3 : 4);
    expect(await circuitOf(daemon, `openai/${model}`)).toMatchObject(
      counts ? { state: "open", failures: 3 } : { state: "closed", failures: 0 },
    );
  });

  test("each model and each provider has a circuit of its own, and so has what names no model", async () => {
    const other = await startScript(DOWN);
    const own = tables({ failure_threshold: 1 });
    await using running = await inFront({ ...own, providers: { tetrate: { upstream: other.url } } }, [DOWN]);
    const { daemon, upstream } = running;
    const ask = (model: string, path = "/v1/chat/completions") => posted(daemon, { body: chatBody({ model }), path });
    expect((await ask("one")).status).toBe(503);
    expect((await ask("one")).text).toBe(DEGRADED);
    expect(upstream.asked.length).toBe(1);
    upstream.follow(GOOD);
    other.follow(GOOD);
    expect((await ask("two")).status).toBe(200);
    expect((await ask("one", "/tetrate/v1/chat/completions")).status).toBe(200);
    upstream.follow(DOWN);
    expect((await posted(daemon, { body: "{broken" })).status).toBe(503);
    expect((await circuitsOf(daemon)).map(({ circuit, state }) => `${circuit} ${state}`).toSorted()).toEqual([
      "openai open",
      "openai/one open",
    ]);
    upstream.follow(GOOD);
    expect((await ask("two")).status).toBe(200);
    other.stop();
  });

  test("failures that a window has passed over do not count", async () => {
    await using running = await inFront(tables({ failure_threshold: 2, window_seconds: 0.05 }), [DOWN]);
    const { daemon } = running;
    for (let each = 0; each < 3; each++) {
      await posted(daemon);
      await eventually(async () => ((await circuitOf(daemon, CIRCUIT)).failures === 0 ? true : undefined), "the end of the window");
    }
    expect(await changes(daemon)).toEqual([]);
  });

  test("with provider_open_models, so many open models close the provider, but for what is due for a probe", async () => {
    const own = tables({ failure_threshold: 1, provider_open_models: 2 });
    await using running = await inFront(own, [DOWN]);
    const { daemon, upstream } = running;
    const ask = (model: string) => posted(daemon, { body: chatBody({ model }) });
    await ask("one");
    upstream.follow(GOOD);
    expect((await ask("three")).status).toBe(200);
    upstream.follow(DOWN);
    await ask("two");
    upstream.follow(GOOD);
    expect(await ask("three")).toMatchObject({ status: 503, text: DEGRADED });
    expect(upstream.asked.length).toBe(3);
    await dueSoon(running, own, "openai/one");
    expect((await ask("one")).status).toBe(200);
    expect((await ask("three")).status).toBe(200);
  });
});

describe.each(ENGINES)("half open, with the %s engine", (engine) => {
  /** The circuit has opened and is due; the target does `then` from now on. */
  async function dueCircuit(breaker: GatewayTables["breaker"], ...then: readonly Reply[]) {
    const running = await inFront(tables({ failure_threshold: 1, cooldown_seconds: 0.05, ...breaker }), [DOWN], engine);
    await posted(running.daemon);
    running.upstream.follow(...then);
    await due(running.daemon, CIRCUIT);
    return running;
  }

  /** A reply that waits for the test. */
  function held() {
    const arrived = Promise.withResolvers<Asked>();
    return { reply: (asked: Asked) => arrived.resolve(asked), arrived: arrived.promise };
  }

  test("of requests that come together exactly one reaches the target; its success closes the circuit", async () => {
    const probe = held();
    await using running = await dueCircuit({}, probe.reply, GOOD);
    const { daemon, upstream } = running;
    const all = Array.from({ length: 12 }, () => posted(daemon));
    const asked = await probe.arrived;
    const refused = await Promise.all((await settledBut(all, 1)).map((answer) => answer));
    expect(refused.map(({ status, text }) => `${status} ${text}`)).toEqual(Array(11).fill(`503 ${DEGRADED}`));
    expect(new Set(refused.map(({ headers }) => headers.get("retry-after")))).toEqual(new Set(["1"]));
    expect(upstream.asked.length).toBe(2);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("half_open");
    GOOD(asked);
    expect((await Promise.all(all)).filter(({ status }) => status === 200).length).toBe(1);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 0 });
    expect(await times(3, () => posted(daemon))).toEqual([200, 200, 200]);
    expect(await changes(daemon)).toEqual([
      `${CIRCUIT} closed>open 1 failure within 120 s`,
      `${CIRCUIT} open>half_open the cooldown is over`,
      `${CIRCUIT} half_open>closed the probe succeeded`,
    ]);
  });

  test("a probe that fails opens it for another cooldown, and is not retried", async () => {
    const running = await inFront(
      tables({ failure_threshold: 1, cooldown_seconds: 0.05 }, { ...QUICK, max_transient_retries: 2 }),
      [DOWN],
      engine,
    );
    const { daemon, upstream } = running;
    await posted(daemon);
    expect(upstream.asked.length).toBe(3);
    await due(daemon, CIRCUIT);
    await reload(running, tables({ failure_threshold: 1, cooldown_seconds: 60 }, QUICK));
    expect((await posted(daemon)).status).toBe(503);
    expect(upstream.asked.length).toBe(4);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "open" });
    expect((await changes(daemon)).at(-1)).toBe(`${CIRCUIT} half_open>open the probe failed`);
    expect((await posted(daemon)).headers.get("retry-after")).toBe("60");
    expect(upstream.asked.length).toBe(4);
    await running[Symbol.asyncDispose]();
  });

  test("a probe whose client hangs up frees its place", async () => {
    await using running = await dueCircuit({}, SILENT, SILENT, GOOD);
    const { daemon, upstream } = running;
    for (let probe = 1; probe <= 2; probe++) {
      const client = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, BODY));
      await eventually(() => upstream.asked[probe], "the probe");
      expect((await posted(daemon)).status).toBe(503);
      client.socket.resetAndDestroy();
      await eventually(
        async () => ((await eventsOf(daemon, "exchange")).filter(({ done }) => done === "client_gone").length === probe ? true : undefined),
        "its end",
      );
      expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "half_open", failures: 1 });
    }
    expect((await posted(daemon)).status).toBe(200);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("closed");
  });

  test.each<readonly [name: string, Reply]>([
    ["whose head has come", writes("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")],
    ["that has said nothing yet", streams([chatChunk({ role: "assistant", content: "" })], false)],
  ])("a streamed probe %s and whose client hangs up frees its place too", async (_name, reply) => {
    await using running = await dueCircuit({}, reply, GOOD);
    const { daemon, upstream } = running;
    const client = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, chatBody({ stream: true })));
    await eventually(() => (upstream.asked[1] !== undefined && client.text().includes("200 OK") ? true : undefined), "the head");
    expect((await posted(daemon)).status).toBe(503);
    client.socket.resetAndDestroy();
    await daemon.event(({ type, done }) => type === "exchange" && done === "client_gone");
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("half_open");
    expect((await posted(daemon)).status).toBe(200);
  });

  test("a streamed probe closes it with its first word, and what goes wrong behind it counts again", async () => {
    await using running = await dueCircuit(
      { failure_threshold: 1 },
      streams([chatChunk({ role: "assistant", content: "half" })], false),
      GOOD,
    );
    const { daemon, upstream } = running;
    const answer = await post(daemon, { body: chatBody({ stream: true }) });
    const reader = answer.body?.getReader();
    await reader?.read();
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("closed");
    expect((await posted(daemon)).status).toBe(200);
    upstream.asked[1]?.arrived.connection.write("0\r\n\r\n");
    while (!(await reader?.read())?.done);
    await exchangeEvent(daemon, 2);
    expect((await changes(daemon)).slice(2)).toEqual([
      `${CIRCUIT} half_open>closed the probe succeeded`,
      `${CIRCUIT} closed>open 1 failure within 120 s`,
    ]);
  });

  test.each<readonly [name: string, Reply]>([
    ["a refused key", says(401, openaiError("invalid_request_error", "invalid_api_key"))],
    ["too long an input", says(400, openaiError("invalid_request_error", "context_length_exceeded"))],
  ])("%s is an answer: the target works", async (_name, reply) => {
    await using running = await dueCircuit({}, reply);
    expect(String((await posted(running.daemon)).status)).toMatch(/^40[01]$/);
    expect((await circuitOf(running.daemon, CIRCUIT)).state).toBe("closed");
  });

  test("a local rate limit says nothing: the next one probes", async () => {
    const limited = says(429, openaiError("tokens", "rate_limit_exceeded"), { "x-ratelimit-remaining-requests": "4" });
    await using running = await dueCircuit({}, limited, limited, GOOD);
    expect(await times(3, () => posted(running.daemon))).toEqual([429, 429, 200]);
    expect(await changes(running.daemon)).toHaveLength(3);
  });

  test("a probe that a limit refuses frees its place", async () => {
    const running = await inFront(
      { ...tables({ failure_threshold: 1, cooldown_seconds: 0.05 }), limits: { requests_per_minute: 1 } },
      [DOWN],
      engine,
    );
    const { daemon, upstream } = running;
    // A failure is given back: the limit is free.
    expect((await posted(daemon)).status).toBe(503);
    upstream.follow(GOOD);
    expect((await posted(daemon, { body: chatBody({ model: "other" }) })).status).toBe(200);
    await due(daemon, CIRCUIT);
    expect(await times(2, () => posted(daemon))).toEqual([429, 429]);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("half_open");
    await reload(running, tables({ failure_threshold: 1, cooldown_seconds: 0.05 }));
    expect((await posted(daemon)).status).toBe(200);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("closed");
    await running[Symbol.asyncDispose]();
  });

  test("late results of before change nothing", async () => {
    const late = held();
    await using running = await inFront(tables({ failure_threshold: 1 }), [late.reply, DOWN, GOOD], engine);
    const { daemon } = running;
    const first = posted(daemon);
    const asked = await late.arrived;
    expect((await posted(daemon)).status).toBe(503);
    GOOD(asked);
    expect((await first).status).toBe(200);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "open", failures: 1 });
    expect((await posted(daemon)).status).toBe(503);
  });
});

/** Waits until all but so many have settled, and gives those. */
async function settledBut<Value>(all: readonly Promise<Value>[], but: number): Promise<readonly Value[]> {
  const settled: Value[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const each of all) {
    void each.then((value) => {
      settled.push(value);
      if (settled.length === all.length - but) resolve();
    });
  }
  await promise;
  return [...settled];
}

describe("modes", () => {
  test("log: circuits open and are told, but every request goes on, with its retries and its own errors", async () => {
    const own = tables({ mode: "log", failure_threshold: 2 }, QUICK);
    await using running = await inFront(own, [DOWN]);
    const { daemon, upstream } = running;
    for (let each = 1; each <= 3; each++) {
      const { status, text } = await posted(daemon);
      expect([status, text]).toEqual([500, JSON.stringify(openaiError("server_error", null))]);
      expect(upstream.asked.length).toBe(3 * each);
    }
    expect(await changes(daemon)).toEqual([`${CIRCUIT} closed>open 2 failures within 120 s`]);
    await dueSoon(running, own, CIRCUIT);
    // A probe is a request like any other: it has its retries.
    upstream.follow(DOWN, DOWN, GOOD);
    expect((await posted(daemon)).status).toBe(200);
    expect((await changes(daemon)).slice(1)).toEqual([
      `${CIRCUIT} open>half_open the cooldown is over`,
      `${CIRCUIT} half_open>closed the probe succeeded`,
    ]);
  });

  test("off: nothing counts, nothing is told, and there are no circuits to ask for", async () => {
    await using running = await inFront(tables({ mode: "off", failure_threshold: 1 }), [DOWN]);
    const { daemon, upstream } = running;
    expect(await times(3, () => posted(daemon))).toEqual([500, 500, 500]);
    expect(upstream.asked.length).toBe(3);
    expect(await changes(daemon)).toEqual([]);
    const health = await (await fetch(`${daemon.origin}/health`)).json();
    expect(JSON.stringify(health)).not.toContain("circuit");
    const { code, problems } = await ctl(daemon, "breaker", "ls");
    expect(code).not.toBe(0);
    expect(problems).toContain("there are no circuits");
  });

  test.each([
    ["on", 2, "open"],
    ["log", 0, "closed"],
    ["off", 0, "closed"],
  ] as const)("retry_contribution_mode %s: two failures that retries healed are %d", async (mode, failures, state) => {
    await using running = await inFront(tables({ failure_threshold: 2, retry_contribution_mode: mode }, QUICK), [DOWN, DOWN, GOOD]);
    const { daemon } = running;
    expect((await posted(daemon)).status).toBe(200);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state, failures });
    // Told in any case.
    expect((await eventsOf(daemon, "retry")).map((each) => each.class)).toEqual(["degraded", "degraded"]);
    const healed = (await eventsOf(daemon, "healed")).map((each) => [each.failures, each.counted]);
    expect(healed).toEqual(mode === "off" ? [] : [[2, mode === "on"]]);
  });

  test("retry_contribution_mode on: attempts of a request that fails in the end are one failure, and healed streams count", async () => {
    await using running = await inFront(tables({ failure_threshold: 10, retry_contribution_mode: "on" }, QUICK), [DOWN]);
    const { daemon, upstream } = running;
    await posted(daemon);
    expect((await circuitOf(daemon, CIRCUIT)).failures).toBe(1);
    upstream.follow(DOWN, GOOD_STREAM);
    expect((await posted(daemon, { body: chatBody({ stream: true }) })).status).toBe(200);
    expect((await circuitOf(daemon, CIRCUIT)).failures).toBe(2);
  });
});

describe("rate limits of a whole account", () => {
  const GLOBAL = says(429, openaiError("requests", "rate_limit_exceeded"));

  test("count once they last longer than their window, whoever asks; a success ends the spell", async () => {
    const breaker = { failure_threshold: 2, global_rate_limit_escalation_window: 0.1, window_seconds: 20 };
    await using running = await inFront(tables(breaker), [GLOBAL]);
    const { daemon, upstream } = running;
    const untilFailures = (count: number) =>
      eventually(async () => {
        expect((await posted(daemon)).status).toBe(429);
        return (await circuitOf(daemon, CIRCUIT)).failures >= count ? true : undefined;
      }, "the escalation");
    expect((await posted(daemon)).status).toBe(429);
    expect((await circuitOf(daemon, CIRCUIT)).failures).toBe(0);
    await untilFailures(1);
    upstream.follow(GOOD);
    expect((await posted(daemon)).status).toBe(200);
    upstream.follow(GLOBAL);
    // A new spell: the first of it does not count.
    expect((await posted(daemon)).status).toBe(429);
    expect((await circuitOf(daemon, CIRCUIT)).failures).toBe(1);
    await untilFailures(2);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    expect((await posted(daemon)).status).toBe(503);
  });
});

describe("the degraded answer", () => {
  test("has the marker that is set, also where it is empty or of other letters", async () => {
    for (const [signal, text] of [
      ['[MEINE_FIRMA_AUßER_BETRIEB "1"]', '[MEINE_FIRMA_AUßER_BETRIEB "1"]'],
      ["", "[LLM_PROXY_PROVIDER_DEGRADED]"],
    ] as const) {
      await using running = await inFront(tables({ degraded_signal: signal }), [DOWN]);
      const { headers, text: body } = await posted(running.daemon);
      const { error } = JSON.parse(body) as { error: { message: string } };
      expect(error.message).toBe(`${text} Provider openai is currently degraded or unavailable. Please try again later.`);
      expect(headers.get("x-llm-proxy-error-class")).toBe("provider_degraded");
    }
  });

  test("tells when to come back, as the target did", async () => {
    const down = (seconds: string) => says(503, openaiError("server_error", null), { "retry-after": seconds });
    await using running = await inFront(tables(), [down("17")]);
    expect((await posted(running.daemon)).headers.get("retry-after")).toBe("17");
    running.upstream.follow(DOWN);
    expect((await posted(running.daemon)).headers.get("retry-after")).toBe("1");
  });

  test("survives each SDK in the text of its exception", async () => {
    await using daemon = await startGateway("wire", tables({ failure_threshold: 100 }), "--simulate");
    await daemon.command("o * side=upstream");
    for (const name of ["chat", "responses", "messages", "gemini"] as const) {
      const client = SDK_CLIENTS[name]({ origin: daemon.origin });
      const thrown = await client.whole().catch((error: unknown) => error);
      expect(String(thrown)).toContain("[LLM_PROXY_PROVIDER_DEGRADED]");
      expect(String((await client.streamed()).error)).toContain("[LLM_PROXY_PROVIDER_DEGRADED]");
    }
  });
});

describe("test modes", () => {
  const ON = tables({ test_mode_enabled: true, failure_threshold: 100 }, QUICK);
  const HEADER = "X-LLM-Proxy-Test-Mode";

  test("by header: force_degraded asks nobody, force_transient_recover is healed by a retry", async () => {
    await using running = await inFront(ON, [GOOD]);
    const { daemon, upstream } = running;
    const forced = await posted(daemon, { headers: { [HEADER]: "force_degraded" } });
    expect([forced.status, forced.text]).toEqual([503, DEGRADED]);
    expect(upstream.asked.length).toBe(0);
    // Nor does it say anything of the target.
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 0 });
    const recovered = await posted(daemon, { headers: { [HEADER]: "force_transient_recover" } });
    expect([recovered.status, recovered.text]).toEqual([200, JSON.stringify(CHAT_ANSWER)]);
    expect(upstream.asked.length).toBe(1);
    expect(await exchangeEvent(daemon, 2)).toMatchObject({ gateway: { attempts: 2, failure: null } });
    const head = (await upstream.asked[0]?.message)?.head;
    expect(head).not.toMatch(/test-mode/i);
    expect(await posted(daemon, { headers: { [HEADER]: "force_something" } })).toMatchObject({ status: 200 });
    expect((await upstream.asked[1]?.message)?.head).not.toMatch(/test-mode/i);
  });

  test("of the OpenAI SDK, which sees both", async () => {
    await using daemon = await startGateway("wire", ON, "--simulate");
    const ask = (mode: string) =>
      new OpenAI({ baseURL: `${daemon.origin}/v1`, apiKey: "sk-test", maxRetries: 0, defaultHeaders: { [HEADER]: mode } }).chat.completions
        .create({ model: "gpt-4o", messages: [] })
        .then(() => "answer", told);
    expect(await ask("force_degraded")).toBe("InternalServerError 503 provider_degraded");
    expect(await ask("force_transient_recover")).toBe("answer");
  });

  test.each(["whole", "streamed"])("by query, for Google's SDK (%s)", async (way) => {
    await using daemon = await startGateway("wire", ON, "--simulate");
    const ask = (mode: string) => {
      const asking = (url: string | URL | Request, init?: RequestInit) => {
        const asked = new URL(String(url));
        asked.searchParams.set("llm_proxy_test_mode", mode);
        return fetch(asked, init);
      };
      const { models } = new GoogleGenAI({ apiKey: "AIzaTest", httpOptions: { baseUrl: daemon.origin, fetch: asking as typeof fetch } });
      const body = { model: "gemini-2.5-pro", contents: "hello" };
      const call = way === "whole" ? models.generateContent(body) : models.generateContentStream(body).then(Array.fromAsync);
      return call.then(() => "answer", told);
    };
    expect(await ask("force_degraded")).toBe("ApiError 503 provider_degraded");
    expect(await ask("force_transient_recover")).toBe("answer");
    expect(await exchangeEvent(daemon, 2)).toMatchObject({ provider: "google", gateway: { attempts: 2 } });
  });

  test("nor in the query: what else stands there stays as it was", async () => {
    const upstream = await startScript(GOOD);
    await using daemon = await startGateway("wire", { ...ON, providers: { google: { upstream: upstream.url } } });
    const path = "/v1beta/models/gemini-2.5-pro:generateContent?a=%41&llm_proxy_test_mode=force_transient_recover&key=AIzaTest";
    await posted(daemon, { path, body: '{"contents":[]}' });
    expect(upstream.asked.length).toBe(1);
    expect((await upstream.asked[0]?.message)?.startLine).toBe(
      "POST /v1beta/models/gemini-2.5-pro:generateContent?a=%41&key=AIzaTest HTTP/1.1",
    );
    upstream.stop();
  });

  test("off: the request is an ordinary one, and targets do not get to see it either", async () => {
    await using running = await inFront(tables({}, QUICK), [GOOD]);
    const { daemon, upstream } = running;
    for (const [headers, path] of [
      [{ [HEADER]: "force_degraded" }, "/v1/chat/completions"],
      [{}, "/v1/chat/completions?llm_proxy_test_mode=force_degraded"],
      [{}, "/v1/chat/completions?llm_proxy_test_mode=force_degraded&b=2&llm_proxy_test_mode=x"],
    ] as const) {
      expect((await posted(daemon, { headers, path })).status).toBe(200);
    }
    const messages = await Promise.all(upstream.asked.map(({ message }) => message));
    expect(messages.map(({ startLine }) => startLine)).toEqual([
      "POST /v1/chat/completions HTTP/1.1",
      "POST /v1/chat/completions HTTP/1.1",
      "POST /v1/chat/completions?b=2 HTTP/1.1",
    ]);
    for (const { head } of messages) expect(head).not.toMatch(/test-mode|test_mode/i);
  });
});

describe("/health", () => {
  type Health = {
    status: string;
    providers: Record<string, Record<string, unknown> & { models?: Record<string, Record<string, unknown>> }>;
  };
  const healthOf = async (daemon: TestDaemon) => {
    const answer = await fetch(`${daemon.origin}/health`);
    return { code: answer.status, ...((await answer.json()) as Health) };
  };

  test("tells each provider's circuits: 200 while none is open, 503 while one is, and 200 again", async () => {
    const own = tables({ failure_threshold: 2, cooldown_seconds: 60 });
    await using running = await inFront(own, [DOWN]);
    const { daemon, upstream } = running;
    const closed = { circuit_state: "closed", circuit_failures: 0, circuit_cooldown_until: null };
    expect(await healthOf(daemon)).toMatchObject({ code: 200, status: "ok", providers: { openai: closed, anthropic: closed } });
    await posted(daemon);
    expect(await healthOf(daemon)).toMatchObject({
      code: 200,
      providers: { openai: { ...closed, circuit_failures: 1, models: { "gpt-4o": { ...closed, circuit_failures: 1 } } } },
    });
    const before = Date.now();
    await posted(daemon);
    const open = await healthOf(daemon);
    expect(open).toMatchObject({ code: 503, status: "degraded", providers: { openai: { circuit_state: "open", circuit_failures: 2 } } });
    expect(open.providers.anthropic).toMatchObject(closed);
    const until = Date.parse(String(open.providers.openai?.circuit_cooldown_until));
    expect(until).toBeWithin(before + 60_000, Date.now() + 60_001);
    expect(open.providers.openai?.models?.["gpt-4o"]).toEqual({
      circuit_state: "open",
      circuit_failures: 2,
      circuit_cooldown_until: open.providers.openai?.circuit_cooldown_until,
    });
    await dueSoon(running, own, CIRCUIT);
    expect(await healthOf(daemon)).toMatchObject({ code: 200, providers: { openai: { circuit_state: "half_open" } } });
    upstream.follow(GOOD);
    await posted(daemon);
    expect(await healthOf(daemon)).toMatchObject({ code: 200, status: "ok", providers: { openai: closed } });
  });
});

describe("ctl breaker", () => {
  let running: Pair;
  beforeAll(async () => {
    running = await inFront(tables({ failure_threshold: 1 }), [DOWN]);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  test("ls, as a table and as JSON", async () => {
    const { daemon } = running;
    await posted(daemon);
    await posted(daemon, { body: chatBody({ model: "vendor/model-2" }) });
    const table = (await ctl(daemon, "breaker", "ls")).out.trim().split("\n");
    expect(table[0]?.split(/ {2,}/)).toEqual(["circuit", "state", "failures", "open until"]);
    expect(table.slice(1).map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      [CIRCUIT, "open", "1"],
      ["openai/vendor/model-2", "open", "1"],
    ]);
    expect((await ctl(daemon, "breaker")).out.trim().split("\n").length).toBe(3);
    const json = await ctl(daemon, "breaker", "ls", "--json");
    const cooldownUntil = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(JSON.parse(json.out)).toEqual([
      { circuit: CIRCUIT, state: "open", failures: 1, cooldownUntil },
      { circuit: "openai/vendor/model-2", state: "open", failures: 1, cooldownUntil },
    ]);
  });

  test("reset closes one, those of a provider, or all", async () => {
    const { daemon, upstream } = running;
    const state = async (name: string) => (await circuitOf(daemon, name)).state;
    expect(await ctl(daemon, "breaker", "reset", "openai/vendor/model-2")).toEqual({
      code: 0,
      out: "1 circuit is closed now\n",
      problems: "",
    });
    expect([await state(CIRCUIT), await state("openai/vendor/model-2")]).toEqual(["open", "closed"]);
    expect(JSON.parse((await ctl(daemon, "breaker", "reset", "OpenAI", "--json")).out)).toEqual({ reset: 1 });
    upstream.follow(GOOD);
    expect((await posted(daemon)).status).toBe(200);
    expect((await ctl(daemon, "breaker", "reset")).out).toBe("0 circuits are closed now\n");
    upstream.follow(DOWN);
    await posted(daemon);
    await posted(daemon, { body: chatBody({ model: "b" }) });
    expect((await ctl(daemon, "breaker", "reset")).out).toBe("2 circuits are closed now\n");
    expect((await changes(daemon)).at(-1)).toEndWith(">closed reset by hand");
  });

  test("open opens one for a cooldown", async () => {
    const { daemon, upstream } = running;
    upstream.follow(GOOD);
    const asked = upstream.asked.length;
    const { code, out } = await ctl(daemon, "breaker", "open", CIRCUIT);
    expect([code, out]).toEqual([0, expect.stringContaining(`${CIRCUIT}`)]);
    expect((await posted(daemon)).status).toBe(503);
    expect(upstream.asked.length).toBe(asked);
    expect((await changes(daemon)).at(-1)).toBe(`${CIRCUIT} closed>open opened by hand`);
    expect((await ctl(daemon, "breaker", "open", "openai", "--json")).code).toBe(0);
    expect((await posted(daemon, { body: "{broken" })).status).toBe(503);
    await ctl(daemon, "breaker", "reset");
  });

  test.each([
    [["breaker", "open"], 2, "breaker open needs a circuit"],
    [["breaker", "open", "opnai/gpt-5"], 2, "did you mean openai?"],
    [["breaker", "reset", "gpt-5"], 2, "expected PROVIDER/MODEL or PROVIDER"],
    [["breaker", "ls", "openai"], 2, "breaker ls lists all circuits"],
    [["breaker", "open", "openai", "gpt-5"], 2, "is too much"],
    [["breaker", "close", "openai"], 2, '"close" is no command for circuits'],
  ] as const)("%j is refused", async (words, code, said) => {
    const got = await ctl(running.daemon, ...words);
    expect([got.code, got.out]).toEqual([code, ""]);
    expect(got.problems).toContain(said);
  });

  test.each(["nonsense", "{}", '{"circuit":7}', '{"circuit":""}'])("the control socket refuses %s", async (body) => {
    const answer = await fetch("http://localhost/v1/breakers/open", { unix: running.daemon.socket, method: "POST", body });
    expect(answer.status).toBe(400);
  });
});

describe("a reload", () => {
  test("changes settings and keeps what is known", async () => {
    await using running = await inFront(tables({ failure_threshold: 5 }), [DOWN]);
    const { daemon, upstream } = running;
    await times(2, () => posted(daemon));
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 2 });
    await reload(running, tables({ failure_threshold: 3, degraded_signal: "[NEW]" }));
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 2 });
    expect((await posted(daemon)).text).toContain("[NEW] Provider openai");
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "open", failures: 3 });
    const asked = upstream.asked.length;
    // Only watched from now on: it is still open, and nobody is held back.
    await reload(running, tables({ mode: "log" }));
    expect((await posted(daemon)).status).toBe(500);
    expect(upstream.asked.length).toBe(asked + 1);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    await reload(running, tables({ mode: "enforce" }));
    expect((await posted(daemon)).status).toBe(503);
    expect(upstream.asked.length).toBe(asked + 1);
  });

  test("turns the breaker on and off; retries too", async () => {
    await using running = await inFront({}, [DOWN]);
    const { daemon, upstream } = running;
    expect((await posted(daemon)).status).toBe(500);
    expect(upstream.asked.length).toBe(1);
    await reload(running, tables({ failure_threshold: 1 }, QUICK));
    expect((await posted(daemon)).status).toBe(503);
    expect(upstream.asked.length).toBe(4);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    await reload(running, tables({ mode: "off" }));
    expect((await posted(daemon)).status).toBe(500);
    expect(upstream.asked.length).toBe(5);
  });
});
