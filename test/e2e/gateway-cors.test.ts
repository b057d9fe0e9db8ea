import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { describeWith } from "../packaging/support/run.ts";
import { CHROMIUM, inChromium } from "./support/chromium.ts";
import { ENGINES, type EngineName, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, type RawAnswer, raw, request } from "./support/raw-client.ts";
import { type RecordedBackend, startBackend, whole } from "./support/recorded-backend.ts";
import { freePort } from "./support/servers.ts";

const ORIGIN = "https://page.example";
const CHAT = "/v1/chat/completions";
const BODY = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hi" }] });

const values = ({ headers }: RawAnswer, name: string) =>
  headers.filter(([field]) => field.toLowerCase() === name).flatMap(([, value]) => value.split(/, */));
const corsFields = ({ headers }: RawAnswer) =>
  headers.map(([name]) => name.toLowerCase()).filter((name) => name.startsWith("access-control-"));

const ask = (port: number, fields: Readonly<Record<string, string>> = {}, path = CHAT, body = BODY) =>
  raw(port, request("POST", path, { "content-type": "application/json", origin: ORIGIN, ...fields }, body), { until: complete });
const get = (port: number, path: string, fields: Readonly<Record<string, string>> = {}) =>
  raw(port, request("GET", path, { origin: ORIGIN, ...fields }), { until: complete });
const headEnd = (text: string) => text.includes("\r\n\r\n");
const preflight = (port: number, path = CHAT, fields: Readonly<Record<string, string>> = {}) =>
  raw(port, request("OPTIONS", path, { origin: ORIGIN, "access-control-request-method": "POST", ...fields }), { until: headEnd });

/** A page may read this answer, all of it, and send no credentials of its own. */
function expectReadable(answer: RawAnswer, origin = "*"): void {
  expect(values(answer, "access-control-allow-origin")).toEqual([origin]);
  expect(values(answer, "access-control-expose-headers")).toEqual(["*"]);
  expect(values(answer, "access-control-allow-credentials")).toEqual([]);
}

describe.each(ENGINES)("CORS with the %s engine", (engine) => {
  let backend: RecordedBackend;
  let daemon: TestDaemon;
  beforeAll(async () => {
    backend = await startBackend(whole(200, "{}"));
    const url = backend.endpoint.replace(/\/v1$/, "");
    const upstreams = ["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"].flatMap((name) => [
      "--upstream",
      `${name}=${url}`,
    ]);
    daemon = await startTestDaemon({ engine, toml: '[cors]\nallowed_origins = ["*"]\n', args: upstreams });
  });
  afterAll(async () => {
    await daemon.stop();
    backend.stop();
  });

  describe("a preflight", () => {
    const PATHS = [
      `/openai${CHAT}`,
      "/anthropic/v1/messages",
      "/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
      "/google/v1beta/models/gemini-2.5-pro:generateContent",
      "/openrouter/api/v1/chat/completions",
      "/tetrate/v1/chat/completions",
      "/databricks/serving-endpoints/m/invocations",
      CHAT,
      "/v1/models",
    ];
    test.each(PATHS)("of %s is answered here", async (path) => {
      const before = backend.requests.length;
      const answer = await preflight(daemon.port, path);
      expect([answer.status, answer.body]).toEqual([204, ""]);
      expect(values(answer, "access-control-allow-origin")).toEqual(["*"]);
      expect(values(answer, "access-control-allow-methods")).toEqual(["GET", "POST", "PUT", "DELETE", "OPTIONS"]);
      expect(values(answer, "access-control-allow-credentials")).toEqual([]);
      expect(values(answer, "access-control-max-age")).toEqual(["600"]);
      expect(values(answer, "access-control-allow-headers").map((name) => name.toLowerCase())).toEqual(
        expect.arrayContaining(
          ["authorization", "content-type", "x-api-key", "anthropic-version", "anthropic-beta", "x-goog-api-key"].concat(
            "x-faultproxy-key",
            "x-llm-proxy-timeout-ms",
            "x-llm-proxy-test-mode",
          ),
        ),
      );
      expect(backend.requests.length).toBe(before);
    });

    test("allows the further fields that are asked for, each once, and nothing that is no name", async () => {
      const asked = "authorization,content-type, x-stainless-lang,x-stainless-os,x bad,\u00e4,x-ok:1,,*";
      const answer = await preflight(daemon.port, CHAT, { "access-control-request-headers": asked });
      const allowed = values(answer, "access-control-allow-headers").map((name) => name.toLowerCase());
      expect(allowed).toEqual([...new Set(allowed)]);
      expect(allowed).toEqual(expect.arrayContaining(["x-stainless-lang", "x-stainless-os"]));
      for (const name of allowed) expect(name).toMatch(/^[\w!#$%&'*+.^`|~-]+$/);
      expect(allowed.filter((name) => /bad|ok|ä/.test(name))).toEqual([]);
    });

    test("of a private network is allowed where it is asked for", async () => {
      const asked = await preflight(daemon.port, CHAT, { "access-control-request-private-network": "true" });
      expect(values(asked, "access-control-allow-private-network")).toEqual(["true"]);
      expect(corsFields(await preflight(daemon.port))).not.toContain("access-control-allow-private-network");
    });

    test.each([
      ["without an origin", { "access-control-request-method": "POST" }],
      ["without the method that is to come", { origin: ORIGIN }],
    ])("is none %s: that is the target's to answer", async (_, fields) => {
      await raw(daemon.port, request("OPTIONS", CHAT, fields), { until: complete });
      expect(backend.last()).toMatchObject({ method: "OPTIONS", target: CHAT });
    });
  });

  test("what a target says of other origins is replaced, what it says of caches is kept", async () => {
    const fields = {
      "content-type": "application/json",
      "Access-Control-Allow-Origin": "https://of-the-target.example",
      "access-control-allow-credentials": "true",
      "Access-Control-Expose-Headers": "x-only",
      vary: "Accept-Encoding",
    };
    backend.reply(whole(200, "{}", fields));
    const answer = await ask(daemon.port);
    expectReadable(answer);
    expect(values(answer, "vary")).toContain("Accept-Encoding");
    // Who is no page gets what the target says.
    const plain = await raw(daemon.port, request("POST", CHAT, { "content-type": "application/json" }, BODY), { until: complete });
    expect(values(plain, "access-control-allow-origin")).toEqual(["https://of-the-target.example"]);
    backend.reply(whole(200, "{}"));
  });

  test("a page reads every answer of a target, whole, streamed or an error", async () => {
    for (const status of [200, 400, 404, 429, 500]) {
      backend.reply(whole(status, '{"error":{"message":"no"}}'));
      const answer = await ask(daemon.port);
      expect(answer.status).toBe(status);
      expectReadable(answer);
    }
    backend.reply(whole(200, 'data: {"choices":[]}\n\ndata: [DONE]\n\n', { "content-type": "text/event-stream" }));
    expectReadable(await ask(daemon.port));
    expectReadable(await get(daemon.port, "/v1/models"));
    backend.reply(whole(200, "{}"));
  });

  describe("a page reads every error of our own", () => {
    const start = (toml: string, ...args: readonly string[]) =>
      startTestDaemon({ engine, toml: `[cors]\nallowed_origins = ["*"]\n${toml}`, args });
    type Case = {
      readonly toml?: string;
      readonly args?: readonly string[];
      readonly path?: string;
      readonly fields?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly status: number;
      readonly reason: string | undefined;
      readonly prepare?: (daemon: TestDaemon) => Promise<unknown>;
    };
    const fault = (text: string) => (daemon: TestDaemon) => daemon.command(text);
    const cases: Readonly<Record<string, Case>> = {
      "a limit": {
        toml: "[limits]\nrequests_per_minute = 1\n",
        prepare: (daemon) => ask(daemon.port),
        status: 429,
        reason: "rate_limited",
      },
      "a circuit that is open": {
        toml: '[breaker]\nmode = "enforce"\n',
        prepare: async ({ socket }) => {
          const circuit = JSON.stringify({ circuit: "openai/gpt-4o" });
          await fetch("http://x/v1/breakers/open", { unix: socket, method: "POST", body: circuit });
        },
        status: 503,
        reason: undefined,
      },
      "a time that is none": { fields: { "x-llm-proxy-timeout-ms": "soon" }, status: 400, reason: "invalid_timeout" },
      "a time that is over": {
        args: ["--ttft", "20s"],
        fields: { "x-llm-proxy-timeout-ms": "30" },
        prepare: fault("hang side=upstream"),
        status: 504,
        reason: "time_budget",
      },
      "a key that is missing": {
        toml: '[server]\napi_keys = ["a-key-of-the-proxy-itself"]\n',
        status: 401,
        reason: "api_key_required",
      },
      "a body that is too large": {
        toml: "[server]\nmax_body_bytes = 1024\n",
        body: "x".repeat(2_000),
        status: 413,
        reason: "request_too_large",
      },
      "a translation's mistake": {
        toml: '[providers.openai]\ndialect = "responses"\n',
        body: "no json",
        status: 400,
        reason: "invalid_request",
      },
      "a fault": { prepare: fault("r"), status: 429, reason: undefined },
      "a fault on the target's side": { prepare: fault("server_error side=upstream"), status: 500, reason: undefined },
      "a path that there is not": { path: "/v1/nothing", status: 404, reason: undefined },
    };
    test.each(Object.entries(cases))("%s", async (_, { toml = "", args = [], path, fields, body, status, reason, prepare }) => {
      await using own = await start(toml, "--simulate", ...args);
      await prepare?.(own);
      const answer = await ask(own.port, fields, path, body);
      expect([answer.status, values(answer, "x-faultproxy-error")[0]]).toEqual([status, reason]);
      expectReadable(answer);
    });

    test("a target that is not there", async () => {
      await using own = await start("", "--upstream", `openai=http://127.0.0.1:${await freePort()}`);
      const answer = await ask(own.port);
      expect(answer.status).toBe(502);
      expectReadable(answer);
    });
  });

  describe("with listed origins", () => {
    let listed: TestDaemon;
    beforeAll(async () => {
      listed = await startTestDaemon({
        engine,
        toml: `[cors]\nallowed_origins = ["${ORIGIN}", "http://localhost:5173"]\n[limits]\nrequests_per_minute = 3\n`,
        args: ["--simulate"],
      });
    });
    afterAll(() => listed.stop());

    const OTHERS = [
      "https://page.example.evil.example",
      "https://page.example:8443",
      "http://page.example",
      "null",
      "*",
      "https://PAGE.example.",
      "",
    ];

    test("their pages may ask and read, and caches are told that it depends on the origin", async () => {
      for (const origin of [ORIGIN, "http://localhost:5173"]) {
        const allowed = await preflight(listed.port, CHAT, { origin });
        expect([allowed.status, values(allowed, "access-control-allow-origin"), values(allowed, "vary")]).toEqual([
          204,
          [origin],
          ["Origin"],
        ]);
        const answer = await ask(listed.port, { origin });
        expectReadable(answer, origin);
        expect(values(answer, "vary")).toContain("Origin");
      }
    });

    test.each(OTHERS)("no other page may: %p", async (origin) => {
      const refused = await preflight(listed.port, CHAT, { origin });
      expect(corsFields(refused)).toEqual([]);
      expect(values(refused, "vary")).toEqual(["Origin"]);
      const answer = await get(listed.port, "/v1/models", { origin });
      expect(values(answer, "access-control-allow-origin")).toEqual([]);
      expect(values(answer, "access-control-allow-credentials")).toEqual([]);
      expect(values(answer, "vary")).toContain("Origin");
    });

    test("a refusal by a limit can be read too", async () => {
      let answer = await ask(listed.port);
      while (answer.status === 200) answer = await ask(listed.port);
      expect(answer.status).toBe(429);
      expectReadable(answer, ORIGIN);
      expect(values(answer, "retry-after").length).toBe(1);
    });
  });

  test("the gateway's own pages and the control socket are for no page", async () => {
    for (const path of ["/health", "/metrics", "/health?x=1", "/metrics?"]) {
      const answer = await get(daemon.port, path);
      expect([answer.status, corsFields(answer)]).toEqual([200, []]);
    }
    for (const method of ["GET", "OPTIONS"]) {
      const fields = { origin: ORIGIN, "access-control-request-method": "GET" };
      const answer = await fetch("http://localhost/v1/status", { unix: daemon.socket, method, headers: fields });
      await answer.text();
      expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  });

  test("without it nothing is said of origins, and a preflight is the target's", async () => {
    await using off = await startTestDaemon({ engine, toml: "[limits]\nrequests_per_minute = 1\n", args: ["--simulate"] });
    expect(corsFields(await ask(off.port))).toEqual([]);
    const refused = await ask(off.port);
    expect([refused.status, corsFields(refused)]).toEqual([429, []]);
    const answer = await raw(off.port, request("OPTIONS", CHAT, { origin: ORIGIN, "access-control-request-method": "POST" }), {
      until: complete,
    });
    expect([answer.status, corsFields(answer)]).toEqual([404, []]);
  });
});

/** The addresses of the proxies that the page asks. */
type Proxies = {
  /** For any origin. */
  readonly any: string;
  /** For the page's own origin. */
  readonly listed: string;
  /** For another origin. */
  readonly foreign: string;
  /** For none. */
  readonly off: string;
};

/** Runs in the page. */
async function asPage({ any, listed, foreign, off }: Proxies) {
  const headers = { authorization: "Bearer sk-of-page", "content-type": "application/json", "x-stainless-lang": "js" };
  const body = (changes: object) => JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hi" }], ...changes });
  const chat = (origin: string, changes: object = {}, more: object = {}) =>
    fetch(`${origin}/v1/chat/completions`, { method: "POST", headers, body: body(changes), ...more });
  /** What a page can tell of a request that it may not make. */
  const blocked = (asking: Promise<Response>) =>
    asking.then(
      ({ status }) => `status ${status}`,
      (error) => (error as Error).name,
    );

  const answer = await chat(any);
  const whole = {
    status: answer.status,
    fields: ["x-llm-provider", "x-llm-model", "x-llm-input-tokens", "x-llm-output-tokens"].map((name) => answer.headers.get(name)),
    object: ((await answer.json()) as { object: string }).object,
  };

  const stream = await chat(any, { stream: true });
  let text = "";
  let reads = 0;
  if (stream.body !== null) {
    const reader = stream.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      reads++;
      text += decoder.decode(value, { stream: true });
    }
  }
  const streamed = {
    type: stream.headers.get("content-type"),
    provider: stream.headers.get("x-llm-provider"),
    reads,
    ended: text.endsWith("[DONE]\n\n"),
  };

  await chat(any, { model: "limited" });
  const refusal = await chat(any, { model: "limited" });
  const refused = {
    status: refusal.status,
    retryAfter: Number(refusal.headers.get("retry-after")),
    scope: refusal.headers.get("x-ratelimit-scope"),
    code: ((await refusal.json()) as { error: { code: string } }).error.code,
  };

  const messages = await fetch(`${any}/v1/messages`, {
    method: "POST",
    headers: {
      "x-api-key": "sk-ant-of-page",
      "anthropic-version": "2023-06-01",
      "anthropic-dangerous-direct-browser-access": "true",
      "content-type": "application/json",
    },
    body: body({ model: "claude-opus-4-5", max_tokens: 5 }),
  });
  const gemini = await fetch(`${any}/v1beta/models/gemini-2.5-pro:generateContent`, {
    method: "POST",
    headers: { "x-goog-api-key": "AIza-of-page", "content-type": "application/json" },
    body: '{"contents":[]}',
  });

  const pages: Record<string, readonly string[]> = {};
  for (const path of ["/health", "/metrics"]) {
    const opaque = await fetch(`${any}${path}`, { mode: "no-cors" });
    pages[path] = [
      await blocked(fetch(`${any}${path}`)),
      await blocked(fetch(`${listed}${path}`)),
      await blocked(fetch(`${any}${path}`, { headers: { authorization: "Bearer x" } })),
      `${opaque.type} ${opaque.status} ${await opaque.text()}`,
    ];
  }
  return {
    whole,
    streamed,
    refused,
    others: [messages.status, messages.headers.get("x-llm-provider"), gemini.status, gemini.headers.get("x-llm-provider")],
    pages,
    withCredentials: await blocked(chat(any, {}, { credentials: "include" })),
    listed: await blocked(chat(listed)),
    listedWithCredentials: await blocked(chat(listed, {}, { credentials: "include" })),
    foreign: await blocked(chat(foreign)),
    off: await blocked(chat(off)),
  };
}

describeWith([CHROMIUM], "a page of another origin in a real browser", () => {
  type Seen = Awaited<ReturnType<typeof asPage>>;
  let seen: Readonly<Record<EngineName, Seen>>;
  const daemons: TestDaemon[] = [];

  beforeAll(async () => {
    const start = async (engine: EngineName, toml: string) => {
      const limits = '[[limits.override]]\nmodel = "limited"\nrequests_per_minute = 1\n';
      const daemon = await startTestDaemon({
        engine,
        toml: `${toml}${limits}`,
        args: ["--simulate", "--tokens", "5", "--between", "30ms"],
      });
      daemons.push(daemon);
      return daemon.origin;
    };
    const proxies = async (engine: EngineName, pageOrigin: string): Promise<Proxies> => ({
      any: await start(engine, '[cors]\nallowed_origins = ["*"]\n'),
      listed: await start(engine, `[cors]\nallowed_origins = ["${pageOrigin}"]\n`),
      foreign: await start(engine, '[cors]\nallowed_origins = ["https://page.example"]\n'),
      off: await start(engine, ""),
    });
    for (const engine of ENGINES) seen = { ...seen, [engine]: await inChromium(asPage, (origin) => proxies(engine, origin)) };
  }, 120_000);
  afterAll(() => Promise.all(daemons.map((daemon) => daemon.stop())));

  describe.each(ENGINES)("with the %s engine", (engine) => {
    test("sends its key and reads the answer with the gateway's fields", () => {
      expect(seen[engine].whole).toEqual({ status: 200, fields: ["openai", "gpt-4o", "1", "5"], object: "chat.completion" });
      expect(seen[engine].others).toEqual([200, "anthropic", 200, "google"]);
    });

    test("reads a stream while it comes", () => {
      const { type, provider, reads, ended } = seen[engine].streamed;
      expect([type, provider, ended]).toEqual(["text/event-stream; charset=utf-8", "openai", true]);
      expect(reads).toBeGreaterThan(1);
    });

    test("reads why it was refused, and when it may come again", () => {
      const { retryAfter, ...refused } = seen[engine].refused;
      expect(refused).toEqual({ status: 429, scope: "model:limited", code: "rate_limit_exceeded" });
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(60);
    });

    test("cannot read the gateway's own pages", () => {
      const refused = ["TypeError", "TypeError", "TypeError", "opaque 0 "];
      expect(seen[engine].pages).toEqual({ "/health": refused, "/metrics": refused });
    });

    test("gets nothing where it is not allowed, or where it would send what the browser knows of its user", () => {
      const { withCredentials, listed, listedWithCredentials, foreign, off } = seen[engine];
      expect({ withCredentials, listed, listedWithCredentials, foreign, off }).toEqual({
        withCredentials: "TypeError",
        listed: "status 200",
        listedWithCredentials: "TypeError",
        foreign: "TypeError",
        off: "TypeError",
      });
    });
  });
});
