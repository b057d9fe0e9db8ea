import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type DaemonOptions, ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, request } from "./support/raw-client.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { freePort, OK } from "./support/servers.ts";

type Target = Awaited<ReturnType<typeof startRawTarget>>;

/** Two targets of raw bytes, one in the backend's place and one in another's; what came to each is kept. */
let backend: Target;
let other: Target;
beforeAll(async () => {
  const answer = ({ connection }: Arrived) => connection.write(OK);
  [backend, other] = [await startRawTarget(answer), await startRawTarget(answer)];
});
afterAll(() => {
  backend.stop();
  other.stop();
});
beforeEach(() => {
  backend.arrivals.length = 0;
  other.arrivals.length = 0;
});

const targetsOf = ({ arrivals }: Target) => arrivals.map(({ startLine }) => startLine.split(" ")[1]);
const headersOf = ({ arrivals }: Target) => arrivals[0]?.headers ?? [];
const valuesOf = (target: Target, name: string) =>
  headersOf(target)
    .filter(([given]) => given.toLowerCase() === name)
    .map(([, value]) => value);

const ask = (daemon: TestDaemon, method: string, path: string, body = "", headers = {}) =>
  raw(daemon.port, request(method, path, headers, body), { until: complete });

describe.each(ENGINES)("with the %s engine", (engine) => {
  describe("paths below the backend's endpoint", () => {
    const PATHS: readonly (readonly [asked: string, below: string])[] = [
      ["/v1/x", "/x"],
      ["/x", "/x"],
      ["/v1/chat/completions?a=1&b=%2F", "/chat/completions?a=1&b=%2F"],
      ["/chat/completions", "/chat/completions"],
      ["/v1/embeddings", "/embeddings"],
      ["/v1/files/f%2F1/content", "/files/f%2F1/content"],
      ["/v10/x", "/x"],
      ["/v1", "/"],
      ["/v1?a=1", "/?a=1"],
      ["/", "/"],
      ["/v1x/y", "/v1x/y"],
      ["/x/v1/y", "/x/v1/y"],
      ["/openai/v1/chat/completions", "/chat/completions"],
      ["/anthropic/v1/messages?beta=true", "/messages?beta=true"],
      ["/openrouter/api/v1/chat/completions", "/chat/completions"],
      ["/v1beta/models/gemini-2.5-pro:generateContent", "/models/gemini-2.5-pro:generateContent"],
      ["/v1beta/openai/chat/completions", "/chat/completions"],
    ];

    test.each([
      ["/base/v1", "/base/v1"],
      ["/base/v1/", "/base/v1"],
      ["", ""],
    ])("an endpoint that ends with %j", async (end, base) => {
      await using daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "${backend.url}${end}"\n` });
      for (const [asked] of PATHS) expect((await ask(daemon, "POST", asked, "{}")).status).toBe(200);
      expect(targetsOf(backend)).toEqual(PATHS.map(([, below]) => base + below));
    });
  });

  describe("who has a target of its own does not go to the backend", () => {
    const BACKEND = () => `[backend]\nendpoint = "${backend.url}/b"\n`;
    const cases: readonly (readonly [string, () => Omit<DaemonOptions, "engine">])[] = [
      ["in the file", () => ({ toml: `${BACKEND()}[providers.openai]\nupstream = "${other.url}/own"\n` })],
      ["by option", () => ({ toml: BACKEND(), args: ["--upstream", `openai=${other.url}/own`] })],
      ["by FAULTPROXY_UPSTREAM", () => ({ toml: BACKEND(), environment: { FAULTPROXY_UPSTREAM: `openai=${other.url}/own` } })],
      ["by OPENAI_REAL_HOST", () => ({ toml: BACKEND(), environment: { OPENAI_REAL_HOST: `${other.url}/own` } })],
    ];
    test.each(cases)("%s", async (_, options) => {
      await using daemon = await startTestDaemon({ engine, ...options() });
      await ask(daemon, "POST", "/v1/chat/completions", "{}");
      await ask(daemon, "POST", "/anthropic/v1/messages", "{}");
      expect([targetsOf(other), targetsOf(backend)]).toEqual([["/own/v1/chat/completions"], ["/b/messages"]]);
    });

    test("one that is simulated, and all of them with --simulate", async () => {
      const toml = `${BACKEND()}[providers.openai]\nupstream = "simulated"\n`;
      await using one = await startTestDaemon({ engine, toml });
      expect((await ask(one, "GET", "/v1/models")).body).toContain("gpt");
      await ask(one, "GET", "/anthropic/v1/models");
      expect(targetsOf(backend)).toEqual(["/b/models"]);
      await using all = await startTestDaemon({ engine, toml, args: ["--simulate"] });
      expect((await ask(all, "GET", "/anthropic/v1/models")).body).toContain("claude");
      expect(targetsOf(backend)).toEqual(["/b/models"]);
    });

    test("the status tells where each goes", async () => {
      await using daemon = await startTestDaemon({
        engine,
        toml: `${BACKEND()}dialect = "chat"\n[providers.google]\nupstream = "${other.url}"\n`,
      });
      const answer = await fetch("http://localhost/v1/status", { unix: daemon.socket });
      const { providers, config } = (await answer.json()) as { providers: Record<string, unknown>; config: unknown };
      expect(config).toBe(daemon.config);
      expect([providers.openai, providers.google]).toEqual([
        { kind: "url", base: `${backend.url}/b`, port: null, dialect: "chat" },
        { kind: "url", base: other.url, port: null, dialect: null },
      ]);
    });
  });

  describe("what is answered without asking", () => {
    test("GET and HEAD of /health, where there is a backend that nobody need listen as", async () => {
      await using daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "http://127.0.0.1:${await freePort()}/v1"\n` });
      for (const path of ["/health", "/health/", "/health?deep=1", "/openai/health"]) {
        const got = await ask(daemon, "GET", path);
        expect([got.status, got.body]).toEqual([200, '{"status":"ok"}']);
      }
      const head = await raw(daemon.port, request("HEAD", "/health"), { until: (text) => text.includes("\r\n\r\n") });
      expect(head.status).toBe(200);
      expect((await ask(daemon, "POST", "/health", "{}")).text).toContain("x-faultproxy-error: upstream_refused");
      expect((await ask(daemon, "GET", "/healthy")).text).toContain("x-faultproxy-error: upstream_refused");
    });

    test("not /health, where there is none", async () => {
      await using daemon = await startTestDaemon({ engine, toml: `[providers.openai]\nupstream = "${other.url}"\n` });
      expect((await ask(daemon, "GET", "/health")).body).toBe("{}");
      expect(targetsOf(other)).toEqual(["/health"]);
    });

    test("the models, where they are set; else they are asked for", async () => {
      const toml = `[backend]\nendpoint = "${backend.url}/b"\nmodels = ["one", "two"]\n[providers.google]\nupstream = "${other.url}"\nmodels = ["three"]\n[providers.anthropic]\nupstream = "${other.url}"\n`;
      await using daemon = await startTestDaemon({ engine, toml });
      const list = async (path: string) => JSON.parse((await ask(daemon, "GET", path)).body);
      for (const path of ["/v1/models", "/models", "/openai/v1/models/"]) {
        expect(await list(path)).toMatchObject({
          object: "list",
          data: [
            { id: "one", object: "model" },
            { id: "two", object: "model" },
          ],
        });
      }
      expect(await list("/google/v1beta/models")).toMatchObject({ models: [{ name: "models/three" }] });
      expect([targetsOf(backend), targetsOf(other)]).toEqual([[], []]);
      await ask(daemon, "GET", "/v1/models/one");
      await ask(daemon, "POST", "/v1/models", "{}");
      await ask(daemon, "GET", "/anthropic/v1/models");
      expect([targetsOf(backend), targetsOf(other)]).toEqual([["/b/models/one", "/b/models"], ["/v1/models"]]);
    });
  });

  describe("what is put into requests", () => {
    /** JSON as a serializer would not write it. */
    const BODY = '{ "model" : "gpt-4o","n":12345678901234567890, "model":"b", "messages":[ ] ,\n "store":false }';
    const CLIENT = { authorization: "Bearer client", "x-team": "red", "X-Other": "1", "content-type": "application/json" };
    const sent = async (keys: string, path = "/v1/chat/completions", body = BODY) => {
      await using daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "${backend.url}/b"\n${keys}` });
      expect((await ask(daemon, "POST", path, body, CLIENT)).status).toBe(200);
      return (await backend.arrivals[0]?.complete)?.payload ?? "";
    };

    test("nothing, where nothing is set: the bytes are those that came", async () => {
      expect(await sent("")).toBe(BODY);
      for (const [name, value] of Object.entries(CLIENT)) expect(valuesOf(backend, name.toLowerCase())).toEqual([value]);
      if (engine === "wire") {
        const came = request("POST", "/b/chat/completions", { host: backend.authority, ...CLIENT }, BODY);
        expect(backend.arrivals[0]?.head).toBe(came.slice(0, -BODY.length));
      }
    });

    test("header fields, in place of those of the same name; an empty one takes away; the body stays", async () => {
      expect(await sent('extra_headers = { "X-Team" = "blue", "Authorization" = "", "X-New" = "a b" }\n')).toBe(BODY);
      const found = ["x-team", "authorization", "x-new", "x-other"].map((name) => valuesOf(backend, name));
      expect(found).toEqual([["blue"], [], ["a b"], ["1"]]);
    });

    test("members of the JSON, in place of those of the same name", async () => {
      const body = '{"model":"gpt-4o","messages":[],"store":false}';
      const got = await sent('extra_body = { store = true, "service.tier" = "flex", metadata = { a = [1, "b"] } }\n', undefined, body);
      expect(JSON.parse(got)).toEqual({ model: "gpt-4o", messages: [], store: true, "service.tier": "flex", metadata: { a: [1, "b"] } });
      expect(valuesOf(backend, "content-length")).toEqual([String(got.length)]);
    });

    test.each([
      ['model = "llama"\n', "gpt-4o", "llama"],
      ['model = ""\n', "gpt-4o", undefined],
      ['model = { "gpt-4o" = "llama", "*" = "any" }\n', "gpt-4o", "llama"],
      ['model = { "gpt-4o" = "llama", "*" = "any" }\n', "o5", "any"],
      ['model = { "gpt-4o" = "llama" }\n', "o5", "o5"],
      ['model = { "gpt-4o" = "" }\n', "gpt-4o", undefined],
    ])("%p and a request for %p: the target is asked for %p", async (keys, asked, wanted) => {
      const got = JSON.parse(await sent(keys, "/v1/responses", JSON.stringify({ input: "hi", model: asked })));
      expect(got).toEqual({ input: "hi", ...(wanted === undefined ? {} : { model: wanted }) });
    });

    test("into inference requests alone", async () => {
      expect(await sent('model = "llama"\nextra_headers = { "X-Team" = "blue" }\nextra_body = { a = 1 }\n', "/v1/embeddings")).toBe(BODY);
      expect(valuesOf(backend, "x-team")).toEqual(["red"]);
    });

    test("by a provider's own table too", async () => {
      const toml = `[providers.openai]\nupstream = "${other.url}"\nmodel = "llama"\nextra_headers = { "X-Team" = "blue" }\n`;
      await using daemon = await startTestDaemon({ engine, toml });
      await ask(daemon, "POST", "/v1/chat/completions", '{"model":"m","messages":[]}', CLIENT);
      expect(targetsOf(other)).toEqual(["/v1/chat/completions"]);
      expect([valuesOf(other, "x-team"), (await other.arrivals[0]?.complete)?.payload]).toEqual([
        ["blue"],
        '{"model":"llama","messages":[]}',
      ]);
    });

    test("a body that is no JSON, where its model is set, is refused", async () => {
      await using daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "${backend.url}/b"\nmodel = "llama"\n` });
      const got = await ask(daemon, "POST", "/v1/chat/completions", "{hello", CLIENT);
      expect([got.status, targetsOf(backend)]).toEqual([400, []]);
      expect(got.body).toContain("We could not parse the JSON body of your request");
    });
  });

  test("ten requests at once to a slow target do not wait for each other", async () => {
    const waiting: Arrived[] = [];
    const slow = await startRawTarget((arrived) => {
      waiting.push(arrived);
      // The first is answered when the last has come: none of them was held back for another.
      if (waiting.length === 10) for (const { connection } of waiting) connection.write(OK);
    });
    await using daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "${slow.url}/v1"\ntimeout = "10s"\n` });
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(daemon, "POST", "/v1/chat/completions", "{}")));
    slow.stop();
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  });
});
