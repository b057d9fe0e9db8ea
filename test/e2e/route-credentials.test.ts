import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { ENGINES, type EngineName, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";

/** What a target was shown, and for which model. */
type Shown = { readonly authorization: string | null; readonly key: string | null; readonly beta: string | null; readonly path: string };

/** A target of either API that refuses the credentials it is told to refuse, each in its own way. */
type Target = {
  readonly url: string;
  readonly shown: Shown[];
  readonly refuses: Map<string, { readonly status: number; readonly body: object; readonly headers?: Record<string, string> }>;
  readonly stop: () => void;
};

function startTarget(): Target {
  const shown: Shown[] = [];
  const refuses: Target["refuses"] = new Map();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname: path } = new URL(request.url);
      const { headers } = request;
      await request.text();
      const seen = {
        authorization: headers.get("authorization"),
        key: headers.get("x-api-key"),
        beta: headers.get("anthropic-beta"),
        path,
      };
      shown.push(seen);
      const refusal = refuses.get(seen.key ?? seen.authorization?.replace(/^Bearer /, "") ?? "");
      if (refusal !== undefined) return Response.json(refusal.body, { status: refusal.status, headers: refusal.headers ?? {} });
      return path.endsWith("/messages")
        ? Response.json({
            id: "msg_1",
            type: "message",
            role: "assistant",
            model: "claude-sonnet-4-5",
            content: [{ type: "text", text: "Hello" }],
            stop_reason: "end_turn",
            usage: { input_tokens: 1, output_tokens: 1 },
          })
        : Response.json({
            id: "chatcmpl-1",
            object: "chat.completion",
            created: 1,
            model: "gpt-4o",
            choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
            usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
          });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, shown, refuses, stop: () => server.stop(true) };
}

const ENV_KEY = "sk-env-0123456789abcdef-ours";
const OAUTH = "sk-ant-oat01-0123456789abcdef-subscription";
const NEW_OAUTH = "sk-ant-oat01-fedcba9876543210-renewed";
const API_KEY = "sk-ant-api03-0123456789abcdef-key";
const PROXY_KEY = "a-key-of-the-proxy";
const SECRETS = [ENV_KEY, OAUTH, NEW_OAUTH, API_KEY];

const AUTH_ERROR = { status: 401, body: { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } } };
const RATE_ERROR = {
  status: 429,
  body: { type: "error", error: { type: "rate_limit_error", message: "This request would exceed your account's rate limit." } },
  headers: { "retry-after": "600" },
};

const MESSAGE = { model: "claude-sonnet-4-5", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] };
const CHAT = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] };

async function ask(origin: string, path: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    tried: response.headers.get("x-faultproxy-attempts"),
    text: await response.text(),
    headers: response.headers,
  };
}

const askMessage = (daemon: TestDaemon) =>
  ask(daemon.origin, "/v1/messages", MESSAGE, { "x-api-key": "sk-ant-clients-own", "anthropic-version": "2023-06-01" });

async function control(daemon: TestDaemon, path: string, body?: object): Promise<string> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return (await fetch(`http://localhost${path}`, { unix: daemon.socket, ...init })).text();
}

/** Nothing that anybody can read holds a secret. */
async function expectNoSecret(daemon: TestDaemon): Promise<void> {
  const health = await fetch(`${daemon.origin}/health`).then((answer) => answer.text());
  const metrics = await fetch(`${daemon.origin}/metrics`).then((answer) => answer.text());
  const all = [daemon.log(), daemon.printed(), JSON.stringify(await daemon.events()), await control(daemon, "/v1/status"), health, metrics];
  for (const secret of SECRETS) for (const text of all) expect(text).not.toContain(secret);
}

let folder = "";
let target: Target;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "faultproxy-credentials-"));
  target = startTarget();
});
afterAll(() => {
  target.stop();
  rmSync(folder, { recursive: true, force: true });
});

function fresh(): void {
  target.shown.length = 0;
  target.refuses.clear();
}

/** As Claude Code writes it, in place of what was there. */
function writeLogin(into: string, accessToken: string, expiresAt: number): void {
  mkdirSync(into, { recursive: true });
  const path = join(into, ".credentials.json");
  const login = {
    claudeAiOauth: { accessToken, refreshToken: "sk-ant-ort01-refresh", expiresAt, scopes: ["user:inference"], subscriptionType: "max" },
  };
  writeFileSync(`${path}.new`, JSON.stringify(login), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const HOUR = 3_600_000;

function subscriptionFirst(): string {
  return `[retry]\nmax_transient_retries = 0\nmax_rate_limit_retries = 0\n[[route]]\nmatch = { provider = "anthropic" }
targets = [
  { provider = "anthropic", url = "${target.url}", credential = { claude = true } },
  { provider = "anthropic", url = "${target.url}", credential = { env = "OUR_ANTHROPIC_KEY" } },
]\n`;
}

let logins = 0;
async function startSubscription(engine: EngineName, accessToken = OAUTH, expiresAt = Date.now() + HOUR) {
  const claude = join(folder, `claude-${++logins}`);
  writeLogin(claude, accessToken, expiresAt);
  const environment = { CLAUDE_CONFIG_DIR: claude, OUR_ANTHROPIC_KEY: API_KEY };
  const daemon = await startTestDaemon({ engine, toml: subscriptionFirst(), environment });
  return { daemon, claude };
}

describe.each([...ENGINES])("a subscription first and a key second, with the %s engine", (engine) => {
  test("the subscription answers, as a token of a login, in place of what the client shows", async () => {
    fresh();
    const { daemon } = await startSubscription(engine);
    await using _ = daemon;
    expect(await askMessage(daemon)).toMatchObject({ status: 200, tried: null });
    expect(target.shown).toEqual([{ authorization: `Bearer ${OAUTH}`, key: null, beta: "oauth-2025-04-20", path: "/v1/messages" }]);
    await expectNoSecret(daemon);
  });

  test.each([
    ["auth", AUTH_ERROR, "401 auth"],
    ["rate limit", RATE_ERROR, "429 global_rate_limit"],
  ])("after an error of %s the key answers, and the subscription is left alone", async (_name, refusal, told) => {
    fresh();
    target.refuses.set(OAUTH, refusal);
    const { daemon } = await startSubscription(engine);
    await using _ = daemon;
    const first = await askMessage(daemon);
    expect([first.status, first.tried]).toEqual([
      200,
      `anthropic@${new URL(target.url).host} ${told}, anthropic@${new URL(target.url).host}#2 200`,
    ]);
    expect(target.shown.map(({ authorization, key }) => key ?? authorization)).toEqual([`Bearer ${OAUTH}`, API_KEY]);
    const second = await askMessage(daemon);
    expect([second.status, second.tried]).toEqual([
      200,
      `anthropic@${new URL(target.url).host} cooldown, anthropic@${new URL(target.url).host}#2 200`,
    ]);
    expect(target.shown.length).toBe(3);
    await expectNoSecret(daemon);
  });

  test("a new token ends it, and so does a command", async () => {
    fresh();
    target.refuses.set(OAUTH, AUTH_ERROR);
    const { daemon, claude } = await startSubscription(engine);
    await using _ = daemon;
    await askMessage(daemon);
    await askMessage(daemon);
    expect(target.shown.length).toBe(3);
    writeLogin(claude, NEW_OAUTH, Date.now() + HOUR);
    expect(await askMessage(daemon)).toMatchObject({ status: 200, tried: null });
    expect(target.shown.at(-1)?.authorization).toBe(`Bearer ${NEW_OAUTH}`);
    // The old one is left alone still.
    writeLogin(claude, OAUTH, Date.now() + HOUR);
    await askMessage(daemon);
    expect(target.shown.at(-1)?.key).toBe(API_KEY);
    target.refuses.clear();
    expect(JSON.parse(await control(daemon, "/v1/cooldowns/reset", { target: null }))).toEqual({ reset: 1 });
    expect(await askMessage(daemon)).toMatchObject({ status: 200, tried: null });
    expect(target.shown.at(-1)?.authorization).toBe(`Bearer ${OAUTH}`);
    const told = (await daemon.events()).filter(({ type }) => type === "cooldown").map((event) => event.class);
    expect(told).toEqual(["auth", null]);
  });

  test("an expired token is never sent", async () => {
    fresh();
    const { daemon, claude } = await startSubscription(engine, OAUTH, Date.now() - 1);
    await using _ = daemon;
    const got = await askMessage(daemon);
    expect([got.status, got.tried]).toEqual([200, expect.stringContaining("credential_expired")]);
    expect(target.shown.map(({ key, authorization }) => key ?? authorization)).toEqual([API_KEY]);
    writeLogin(claude, NEW_OAUTH, Date.now() + HOUR);
    expect(await askMessage(daemon)).toMatchObject({ status: 200, tried: null });
    expect(target.shown.at(-1)?.authorization).toBe(`Bearer ${NEW_OAUTH}`);
    await eventually(() => (daemon.log().includes("credential") ? true : undefined), "the credential in the log");
    await expectNoSecret(daemon);
  });

  test("clients of OpenAI's have the same", async () => {
    fresh();
    const { daemon } = await startSubscription(engine);
    await using _ = daemon;
    writeFileSync(daemon.config, subscriptionFirst().replace('match = { provider = "anthropic" }', ""));
    expect((await daemon.command("reload")).status).toBe(200);
    const answer = await new OpenAI({ apiKey: "sk-clients-own", baseURL: `${daemon.origin}/v1`, maxRetries: 0 }).chat.completions.create({
      model: "claude-sonnet-4-5",
      messages: [{ role: "user", content: "Hi" }],
    });
    expect([answer.choices[0]?.message.content, answer.model]).toEqual(["Hello", "claude-sonnet-4-5"]);
    expect(target.shown).toEqual([
      { authorization: `Bearer ${OAUTH}`, key: null, beta: expect.stringContaining("oauth-2025-04-20"), path: "/v1/messages" },
    ]);
  });
});

/** An address of this machine that is not loopback: who comes by it may be anywhere. */
const ELSEWHERE = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

describe.each([...ENGINES])("who may use our credential, with the %s engine", (engine) => {
  const routed = () =>
    `[[route]]\nmatch = { provider = "openai" }\ntargets = [{ provider = "openai", url = "${target.url}/v1", credential = { env = "OUR_KEY" } }]\n`;
  const environment = { OUR_KEY: ENV_KEY };

  test("a client of this machine; its own key goes nowhere", async () => {
    fresh();
    await using daemon = await startTestDaemon({ engine, toml: routed(), environment });
    expect((await ask(daemon.origin, "/v1/chat/completions", CHAT, { authorization: "Bearer sk-clients-own" })).status).toBe(200);
    expect(target.shown).toEqual([{ authorization: `Bearer ${ENV_KEY}`, key: null, beta: null, path: "/v1/chat/completions" }]);
    await expectNoSecret(daemon);
  });

  test.each([
    ["of another site", { origin: "https://evil.example" }],
    ["without an origin that anybody could name", { origin: "null" }],
    ["that loads it as something else", { "sec-fetch-site": "cross-site" }],
  ])("no page %s", async (_name, headers) => {
    fresh();
    await using daemon = await startTestDaemon({ engine, toml: routed(), environment });
    const got = await ask(daemon.origin, "/v1/chat/completions", CHAT, headers);
    expect([got.status, target.shown.length]).toEqual([403, 0]);
    expect(got.text).toContain("never to pages of other sites");
  });

  test("a page that shows a key of the proxy's is a page of another site still, and one that was named is not", async () => {
    fresh();
    const named = `[server]\napi_keys = ["${PROXY_KEY}"]\n[cors]\nallowed_origins = ["https://mine.example"]\n`;
    await using daemon = await startTestDaemon({ engine, toml: `${named}${routed()}`, environment });
    const withKey = (origin: string) => ask(daemon.origin, "/v1/chat/completions", CHAT, { origin, "x-faultproxy-key": PROXY_KEY });
    expect((await withKey("https://evil.example")).status).toBe(403);
    expect(target.shown.length).toBe(0);
    expect((await withKey("https://mine.example")).status).toBe(200);
  });

  test.if(ELSEWHERE !== undefined)("no other machine, unless it shows a key of the proxy's", async () => {
    fresh();
    const args = ["--host", "0.0.0.0"];
    await using open = await startTestDaemon({ engine, toml: `[server]\nopen = true\n${routed()}`, environment, args });
    const refused = await ask(`http://${ELSEWHERE}:${open.port}`, "/v1/chat/completions", CHAT);
    expect([refused.status, target.shown.length]).toEqual([403, 0]);
    expect(refused.text).toContain("api_keys");
    expect((await ask(`http://127.0.0.1:${open.port}`, "/v1/chat/completions", CHAT)).status).toBe(200);
    await using keyed = await startTestDaemon({ engine, toml: `[server]\napi_keys = ["${PROXY_KEY}"]\n${routed()}`, environment, args });
    const client = new OpenAI({ apiKey: PROXY_KEY, baseURL: `http://${ELSEWHERE}:${keyed.port}/v1`, maxRetries: 0 });
    expect((await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] })).choices.length).toBe(1);
    // The proxy's key, which stood in the place of the provider's, has gone nowhere.
    expect(target.shown.at(-1)?.authorization).toBe(`Bearer ${ENV_KEY}`);
    const stranger = new OpenAI({ apiKey: "sk-wrong", baseURL: `http://127.0.0.1:${keyed.port}/v1`, maxRetries: 0 });
    const refusal = await stranger.models.list().then(
      () => "an answer",
      (error: InstanceType<typeof OpenAI.APIError>) => error.status,
    );
    expect(refusal).toBe(401);
  });

  test("a key that is not there is told, and nothing is sent", async () => {
    fresh();
    await using daemon = await startTestDaemon({ engine, toml: routed() });
    const got = await ask(daemon.origin, "/v1/chat/completions", CHAT, { authorization: "Bearer sk-clients-own" });
    expect([got.status, target.shown.length]).toEqual([503, 0]);
    expect(got.text).toContain("credential_missing");
  });
});

describe("a key in a file", () => {
  test("is read again when it changes: the target that refused the old one is asked at once", async () => {
    fresh();
    const file = join(folder, "key");
    const write = (key: string) => {
      writeFileSync(`${file}.new`, `${key}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    };
    write("sk-old-one");
    target.refuses.set("sk-old-one", { status: 401, body: { error: { message: "Incorrect API key provided", code: "invalid_api_key" } } });
    const toml = `[[route]]\ntargets = [{ provider = "openai", url = "${target.url}", credential = { file = "${file}" } }]\n`;
    await using daemon = await startTestDaemon({ engine: "wire", toml });
    const first = await ask(daemon.origin, "/v1/chat/completions", CHAT);
    expect([first.status, first.text]).toEqual([401, expect.stringContaining("Incorrect API key provided")]);
    // It waits for another one, and says so.
    const second = await ask(daemon.origin, "/v1/chat/completions", CHAT);
    expect([second.status, target.shown.length, second.headers.get("retry-after")]).toEqual([503, 1, expect.stringMatching(/^\d+$/)]);
    write("sk-new-one");
    expect((await ask(daemon.origin, "/v1/chat/completions", CHAT)).status).toBe(200);
    expect(target.shown.map(({ authorization }) => authorization)).toEqual(["Bearer sk-old-one", "Bearer sk-new-one"]);
  });

  test("of the client's own the target is asked each time: only it can say what is wrong with it", async () => {
    fresh();
    target.refuses.set("sk-clients-own", {
      status: 401,
      body: { error: { message: "Incorrect API key provided", code: "invalid_api_key" } },
    });
    const toml = `[[route]]\ntargets = [{ provider = "openai", url = "${target.url}" }]\n`;
    await using daemon = await startTestDaemon({ engine: "wire", toml });
    for (let each = 1; each <= 2; each++) {
      const got = await ask(daemon.origin, "/v1/chat/completions", CHAT, { authorization: "Bearer sk-clients-own" });
      expect([got.status, target.shown.length]).toEqual([401, each]);
    }
  });
});
