import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, converse, raw } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";
import { OK } from "./support/servers.ts";

const KEY = "fp-key+of/the=proxy";
const OTHER = "another-key-of-the-proxy";
const STORED = "sk-stored-in-the-configuration";
const DIGEST = createHash("sha256").update(OTHER).digest("hex");
const BODY = '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}';

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

describe.each(ENGINES)("keys of the proxy, with the %s engine", (engine) => {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-keys-"));
  const path = join(folder, "data.sock");
  /** One to which clients bring their own key, and one whose key stands in the configuration. */
  let plain: Upstream;
  let lent: Upstream;
  let daemon: TestDaemon;

  beforeAll(async () => {
    plain = await startRawUpstream(({ socket }) => socket.write(OK));
    lent = await startRawUpstream(({ socket }) => socket.write(OK));
    daemon = await startTestDaemon({
      engine,
      args: ["--listen", `unix:${path}`, "--log-level", "debug"],
      toml: [
        `[server]\napi_keys = ["${KEY}", "sha256:${DIGEST}"]`,
        `[providers.openai]\nupstream = "${plain.url}"`,
        `[providers.anthropic]\nupstream = "${lent.url}"\nextra_headers = { "x-api-key" = "${STORED}" }`,
        '[providers.google]\nupstream = "simulated"',
        "",
      ].join("\n"),
    });
  });
  afterAll(async () => {
    await daemon.stop();
    plain.stop();
    lent.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (bytes: string) => raw(daemon.port, bytes, { until: complete });
  /** A request with exactly these lines in its head, behind its Host. */
  const lines = (method: string, target: string, fields: readonly string[], body = "") =>
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${[...fields, ...(body === "" ? [] : [`Content-Length: ${body.length}`])].map((line) => `${line}\r\n`).join("")}\r\n${body}`;
  const headOf = (upstream: Upstream): Seen => {
    const last = upstream.seen.at(-1);
    if (last === undefined) throw new Error("nothing has come");
    return last;
  };
  const errorOf = ({ headers }: { readonly headers: readonly (readonly [string, string])[] }) =>
    headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1];

  test.each([KEY, OTHER])("a request with one of them goes on as it came, without it", async (key) => {
    const bytes = lines("POST", "/v1/chat/completions", ["Authorization: Bearer sk-own", `X-FaultProxy-Key: ${key}`], BODY);
    expect((await send(bytes)).status).toBe(200);
    const { head, body } = headOf(plain);
    expect(head).toContain("sk-own");
    expect(head.toLowerCase()).not.toContain("faultproxy");
    expect(head).not.toContain(key);
    expect(body()).toBe(BODY);
  });

  const attempts: readonly (readonly [string, target: string, fields: readonly string[]])[] = [
    ["none", "/v1/models", []],
    ["a wrong one", "/v1/models", ["x-faultproxy-key: wrong-key-of-the-proxy"]],
    ["its digest", "/v1/models", [`x-faultproxy-key: sha256:${DIGEST}`]],
    ["an empty one", "/v1/models", ["x-faultproxy-key:"]],
    ["two in one", "/v1/models", [`x-faultproxy-key: ${KEY}, ${OTHER}`]],
    ["two", "/v1/models", [`x-faultproxy-key: ${KEY}`, `X-Faultproxy-Key: ${KEY}`]],
    ["a field that only looks like it", "/v1/models", [`x_faultproxy_key: ${KEY}`, `x-faultproxy-keys: ${KEY}`]],
    ["as the provider's key, where the provider wants its own", "/v1/models", [`Authorization: Bearer ${KEY}`]],
    ["in the query, where the provider wants its own", `/openai/v1/models?key=${encodeURIComponent(KEY)}`, []],
    ["in a cookie", "/v1/models", [`Cookie: x-faultproxy-key=${KEY}`]],
    ["as user information", `http://${encodeURIComponent(KEY)}@localhost/v1/models`, []],
    ["behind a prefix", "/openai/v1/models", []],
    ["for the built-in provider", "/gemini/v1beta/models", []],
    ["for a page that is a target's", "/health", []],
  ];

  test.each(attempts)("%s is no way in, and the target hears nothing", async (name, target, fields) => {
    const before = plain.seen.length + lent.seen.length;
    const answer = await send(lines("GET", target, fields));
    // User information is no target at all for whoever reads bytes.
    const expected = name === "as user information" && engine === "wire" ? [400, "bad_target"] : [401, "api_key_required"];
    expect([answer.status, errorOf(answer)] as unknown[]).toEqual(expected);
    expect(answer.text).not.toContain(KEY);
    expect(plain.seen.length + lent.seen.length).toBe(before);
  });

  test.each([
    ["white space before the colon", `x-faultproxy-key : ${KEY}`],
    ["a line that goes on", `x-a: b\r\n x-faultproxy-key: ${KEY}`],
    ["a bare line feed", `x-a: b\nx-faultproxy-key: ${KEY}`],
  ])("%s hides no key from one reader", async (_, field) => {
    const before = plain.seen.length;
    const answer = await send(lines("GET", "/v1/models", [field, "Connection: close"]));
    if (answer.status === 200) expect(headOf(plain).head).not.toContain(KEY);
    else {
      expect([400, 401]).toContain(answer.status);
      expect(plain.seen.length).toBe(before);
    }
  });

  test.each(["X-A: b", `X-Faultproxy-Key: ${KEY}`])(
    "a key in the trailer of a body comes too late, and goes nowhere (%s)",
    async (field) => {
      const bytes = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${field}\r\nTransfer-Encoding: chunked\r\nTrailer: x-faultproxy-key\r\n\r\n2\r\n{}\r\n0\r\nx-faultproxy-key: ${KEY}\r\n\r\n`;
      const before = plain.seen.length;
      // Bun's server takes no trailers at all.
      expect([400, 401]).toContain((await send(bytes)).status);
      const heard = plain.seen.slice(before);
      // With a key in its head it has begun to go on when Bun meets the trailer.
      if (engine === "wire" || field === "X-A: b") expect(heard).toEqual([]);
      for (const { head, body } of heard) expect(head + body()).not.toContain(KEY);
    },
  );

  test("a key that Connection names is a key all the same", async () => {
    expect((await send(lines("GET", "/v1/models", ["Connection: x-faultproxy-key", `x-faultproxy-key: ${KEY}`]))).status).toBe(200);
    expect(headOf(plain).head).not.toContain(KEY);
  });

  const ENCODED = [...KEY].map((each) => `%${each.charCodeAt(0).toString(16)}`).join("");

  test.each<readonly [string, target: string, fields: readonly string[]]>([
    ["Authorization", "/anthropic/v1/messages", [`Authorization: Bearer ${KEY}`]],
    ["authorization, in small letters", "/anthropic/v1/messages", [`authorization: bearer ${KEY}`]],
    ["x-api-key", "/v1/messages", [`X-API-Key: ${KEY}`, "anthropic-version: 2023-06-01"]],
    ["api-key", "/anthropic/v1/messages", [`api-key: ${KEY}`]],
    ["x-goog-api-key", "/anthropic/v1/messages", [`x-goog-api-key: ${KEY}`]],
    ["the query", `/anthropic/v1/messages?beta=true&key=${encodeURIComponent(KEY)}&x=1`, []],
    ["the query, every byte encoded", `/anthropic/v1/messages?%6b%65y=${ENCODED}`, []],
    ["several places", `/anthropic/v1/messages?key=${ENCODED}`, [`Authorization: Bearer ${KEY}`, `x-api-key: ${KEY}`]],
    ["its own place and others", `/anthropic/v1/messages?key=${ENCODED}`, [`x-faultproxy-key: ${KEY}`, `x-api-key: ${OTHER}`]],
    ["a second field", "/anthropic/v1/messages", ["Authorization: Bearer sk-own", `Authorization: Bearer ${KEY}`]],
  ])("where the target's key is ours to give, one stands in its place: %s", async (_, target, fields) => {
    const answer = await send(lines("POST", target, fields, BODY));
    expect([answer.status, errorOf(answer)]).toEqual([200, undefined]);
    const { head } = headOf(lent);
    for (const trace of [KEY, encodeURIComponent(KEY), ENCODED, OTHER, "faultproxy", "key="])
      expect(head.toLowerCase()).not.toContain(trace.toLowerCase());
    expect(head.match(/x-api-key: (.*)\r\n/i)?.[1]).toBe(STORED);
    if (target.includes("beta=true")) expect(head).toStartWith("POST /v1/messages?beta=true&x=1 HTTP/1.1\r\n");
  });

  test("beside the right key, one that stands where the provider's should is taken out", async () => {
    const target = `/openai/v1/models?key=${encodeURIComponent(OTHER)}`;
    expect((await send(lines("GET", target, [`x-faultproxy-key: ${KEY}`, `Authorization: Bearer ${KEY}`]))).status).toBe(200);
    const { head } = headOf(plain);
    expect(head).toStartWith("GET /v1/models HTTP/1.1\r\n");
    for (const trace of [KEY, encodeURIComponent(KEY), OTHER]) expect(head).not.toContain(trace);
    expect(head.toLowerCase()).not.toContain("authorization");
  });

  test("a Unix socket asks for one too", async () => {
    const status = async (headers: Record<string, string>) => (await fetch("http://localhost/v1/models", { unix: path, headers })).status;
    expect([await status({}), await status({ "x-faultproxy-key": KEY })]).toEqual([401, 200]);
  });

  test.each([
    ["openai", "/openai/v1/models", { error: { type: "invalid_request_error", code: "api_key_required" } }],
    ["anthropic", "/anthropic/v1/messages", { type: "error", error: { type: "authentication_error" } }],
    ["google", "/gemini/v1beta/models", { error: { code: 401, status: "UNAUTHENTICATED" } }],
    ["openrouter", "/openrouter/api/v1/models", { error: { code: 401 } }],
    ["databricks", "/databricks/serving-endpoints/x/invocations", { error_code: "API_KEY_REQUIRED" }],
  ])("the refusal has the shape of %s, and is the same whatever was shown", async (_, target, shape) => {
    const texts: string[] = [];
    for (const fields of [
      [],
      ["x-faultproxy-key: guess-of-somebody"],
      ["Authorization: Bearer guess-of-somebody", "x-api-key: guess-of-somebody"],
    ]) {
      const answer = await send(lines("GET", target, fields));
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body)).toMatchObject(shape);
      texts.push(answer.body);
    }
    expect(texts[0]).toContain("send it as x-faultproxy-key");
    expect(new Set(texts).size).toBe(1);
  });

  test("the answer to a refused upload comes at once, and can be read", async () => {
    const client = converse(daemon.port, lines("POST", "/v1/chat/completions", ["Content-Length: 10000000"]));
    await client.until((text) => text.includes("api_key_required"));
    expect(client.text()).toStartWith("HTTP/1.1 401 ");
    client.socket.destroy();
  });

  test.skipIf(engine === "serve")("a connection for WebSockets needs one as well, and does not tell it", async () => {
    const upgrade = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    ];
    expect((await send(lines("GET", "/v1/realtime", upgrade))).status).toBe(401);
    expect((await send(lines("GET", "/v1/realtime", [...upgrade, `x-faultproxy-key: ${KEY}`]))).status).toBe(200);
    expect(headOf(plain).head).not.toContain(KEY);
  });

  test("SDKs show it in the place of the provider's key, where that is ours to give", async () => {
    const google = await fetch(`${daemon.origin}/gemini/v1beta/models`, { headers: { "x-goog-api-key": KEY } });
    expect(google.status).toBe(200);
    const own = (apiKey: string) => new Anthropic({ baseURL: `${daemon.origin}/anthropic`, apiKey, maxRetries: 0 });
    expect(await statusOf(() => own(OTHER).models.list())).toBe("answered");
    expect(headOf(lent).head).not.toContain(OTHER);
    expect(await statusOf(() => own("wrong-key-of-the-proxy").models.list())).toBe(401);
    const openai = (key: string) =>
      new OpenAI({ baseURL: `${daemon.origin}/openai/v1`, apiKey: "sk-own", maxRetries: 0, defaultHeaders: { "x-faultproxy-key": key } });
    expect(await statusOf(() => openai(KEY).models.list())).toBe("answered");
    expect(await statusOf(() => openai("wrong-key-of-the-proxy").models.list())).toBe(401);
  });

  test("no key stands in the log, in an event or in what the proxy says of itself", async () => {
    await send(lines("GET", `/openai/v1/models?key=${encodeURIComponent(KEY)}`, ["x-faultproxy-key: guess-of-somebody"]));
    await daemon.event(({ error }) => error === "api_key_required");
    const status = await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).text();
    const texts = [daemon.log(), JSON.stringify(await daemon.events()), daemon.printed(), status];
    for (const secret of [KEY, encodeURIComponent(KEY), OTHER, DIGEST, STORED, "guess-of-somebody", "sk-own"])
      for (const text of texts) expect(text).not.toContain(secret);
  });

  test("clients that send wrong ones without end fill no memory, and keep nobody out", async () => {
    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;
    const wrong = (count: number) =>
      Array.from({ length: count }, (_, each) => lines("GET", "/v1/models", [`x-faultproxy-key: ${each}-${"w".repeat(8_000)}`])).join("");
    const refusals = (text: string) => text.split("HTTP/1.1 401").length - 1;
    const attack = async (count: number) => {
      // Bun's server does not take the next request before it has answered.
      const perWrite = engine === "wire" ? 50 : 1;
      const clients = [converse(daemon.port, wrong(perWrite)), converse(daemon.port, wrong(perWrite))];
      for (let sent = perWrite; sent <= count; sent += perWrite) {
        for (const client of clients) await client.until((text) => refusals(text) >= sent);
        if (sent < count) for (const client of clients) client.send(wrong(perWrite));
      }
      for (const client of clients) client.socket.destroy();
    };
    await attack(500);
    const before = process.platform === "linux" ? memory() : 0;
    await attack(2_000);
    if (process.platform === "linux") expect(memory() - before).toBeLessThan(100_000_000);
    expect((await send(lines("GET", "/v1/models", [`x-faultproxy-key: ${KEY}`]))).status).toBe(200);
  }, 60_000);
});

async function statusOf(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    await ask();
    return "answered";
  } catch (error) {
    return (error as { status?: number }).status;
  }
}

describe.each(ENGINES)("with the %s engine", (engine) => {
  test("a reload changes the keys of the next request, and takes them away again", async () => {
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"], toml: "" });
    const status = async (key: string | undefined) =>
      (await fetch(`${daemon.origin}/v1/models`, { headers: key === undefined ? {} : { "x-faultproxy-key": key } })).status;
    const statuses = async () => [await status(undefined), await status(KEY), await status(OTHER)];
    const reload = async (toml: string) => {
      writeFileSync(daemon.config, toml);
      expect((await daemon.command("reload")).status).toBe(200);
    };
    expect(await statuses()).toEqual([200, 200, 200]);
    await reload(`[server]\napi_keys = ["${KEY}"]\n`);
    expect(await statuses()).toEqual([401, 200, 401]);
    await reload(`[server]\napi_keys = ["sha256:${DIGEST}"]\n`);
    expect(await statuses()).toEqual([401, 401, 200]);
    await eventually(() => (daemon.log().includes("server.api_keys changed") ? true : undefined), "the change in the log");
    expect(daemon.log()).not.toContain(DIGEST);
    await reload("");
    expect(await statuses()).toEqual([200, 200, 200]);
  });

  test("monitors and browsers that ask first need none; whoever reads the numbers does", async () => {
    const toml = `[server]\napi_keys = ["${KEY}"]\n`;
    await using daemon = await startTestDaemon({
      engine,
      args: ["--simulate", "--gateway"],
      toml,
      environment: { XDG_STATE_HOME: "/nonexistent" },
    });
    const ask = async (path: string, options: RequestInit = {}) => {
      const answer = await fetch(`${daemon.origin}${path}`, options);
      return [answer.status, answer.headers.get("x-faultproxy-error")];
    };
    const origin = { origin: "https://app.example" };
    expect(await ask("/health")).toEqual([200, null]);
    expect(await ask("/health", { method: "POST" })).toEqual([401, "api_key_required"]);
    expect(await ask("/metrics")).toEqual([401, "api_key_required"]);
    expect(await ask("/metrics", { headers: { "x-faultproxy-key": KEY } })).toEqual([200, null]);
    expect(await ask("/metrics", { headers: { authorization: `Bearer ${KEY}` } })).toEqual([200, null]);
    expect(await ask("/metrics", { headers: { authorization: `Bearer ${OTHER}` } })).toEqual([401, "api_key_required"]);
    const preflight = { method: "OPTIONS", headers: { ...origin, "access-control-request-method": "POST" } };
    expect(await ask("/v1/chat/completions", preflight)).toEqual([204, null]);
    expect(await ask("/v1/chat/completions", { method: "OPTIONS", headers: origin })).toEqual([401, "api_key_required"]);
    // The page can read why it is not let in.
    const refused = await fetch(`${daemon.origin}/v1/chat/completions`, { method: "POST", body: BODY, headers: origin });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
    await eventually(async () => ((await daemon.events()).length > 0 ? true : undefined), "an event");
  });

  test("limits of a key hold for the proxy's own, wherever it is shown", async () => {
    const toml = `[server]\napi_keys = ["${KEY}", "${OTHER}"]\n[[limits.override]]\nkey = "*"\nrequests_per_minute = 2\n`;
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"], toml });
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${daemon.origin}/v1/chat/completions`, { method: "POST", body: BODY, headers })).status;
    expect(await status({ "x-faultproxy-key": KEY })).toBe(200);
    expect(await status({ authorization: `Bearer ${KEY}` })).toBe(200);
    // Neither another place nor a wrong key beside it is another client.
    expect(await status({ "x-faultproxy-key": "made-up-key-of-the-day", authorization: `Bearer ${KEY}` })).toBe(429);
    expect(await status({ authorization: `Bearer ${KEY}`, "x-api-key": "sk-anything" })).toBe(429);
    expect(await status({ authorization: `Bearer ${OTHER}` })).toBe(200);
  });
});
