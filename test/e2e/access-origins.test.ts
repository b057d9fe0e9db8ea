import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type Certificates, makeCertificates } from "./support/certificates.ts";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";
import { OK } from "./support/servers.ts";

const KEY = "a-key-of-the-proxy";
const BODY = '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}';
const REFUSED = [403, "origin_refused"];
const IN = [200, undefined];

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

async function send(port: number, fields: readonly string[], target = "/openai/v1/chat/completions", method = "POST") {
  const lines = [`Host: 127.0.0.1:${port}`, ...fields, `Content-Length: ${method === "POST" ? BODY.length : 0}`];
  const bytes = `${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${method === "POST" ? BODY : ""}`;
  const answer = await raw(port, bytes, { until: complete });
  return { ...answer, came: [answer.status, answer.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]] };
}

describe.each(ENGINES)("pages of other origins, with the %s engine", (engine) => {
  let lent: Upstream;
  let plain: Upstream;
  let daemon: TestDaemon;
  beforeAll(async () => {
    lent = await startRawUpstream(({ socket }) => socket.write(OK));
    plain = await startRawUpstream(({ socket }) => socket.write(OK));
    daemon = await startTestDaemon({
      engine,
      toml: [
        '[cors]\nallowed_origins = ["https://app.example", "*"]',
        `[providers.openai]\nupstream = "${lent.url}"\nextra_headers = { Authorization = "Bearer sk-stored" }`,
        `[providers.anthropic]\nupstream = "${plain.url}"`,
        "",
      ].join("\n"),
      environment: { XDG_STATE_HOME: "/nonexistent" },
    });
  });
  afterAll(async () => {
    await daemon.stop();
    lent.stop();
    plain.stop();
  });

  test.each([
    "Origin: https://evil.example",
    "oRIGIN: HTTPS://EVIL.EXAMPLE",
    "Origin: null",
    "Origin: http://localhost:3000",
    "Origin: https://app.example.evil.example",
    "Origin: http://app.example",
    "Origin: file://",
    "Origin:",
    "Origin: https://app.example\nOrigin: https://evil.example",
    "Sec-Fetch-Site: cross-site",
    "SEC-FETCH-SITE: Cross-Site\nSec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-site",
  ])("%j: no credential is lent", async (fields) => {
    const before = lent.seen.length;
    for (const [target, method] of [
      ["/openai/v1/chat/completions", "POST"],
      ["/openai/v1/models", "GET"],
      ["/openai/v1/models", "OPTIONS"],
    ] as const)
      expect((await send(daemon.port, fields.split("\n"), target, method)).came).toEqual(REFUSED);
    expect(lent.seen.length).toBe(before);
  });

  test.each([
    "Origin: https://app.example",
    "Origin: HTTPS://App.Example",
    "Origin: chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "Origin: vscode-webview://1a2b3c",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Site: none",
    "X-Origin: https://evil.example",
  ])("%s: it is", async (field) => {
    expect((await send(daemon.port, [field])).came).toEqual(IN);
    expect(lent.seen.at(-1)?.head).toContain("Bearer sk-stored");
  });

  test("its own origin is none of another", async () => {
    expect((await send(daemon.port, [`Origin: http://127.0.0.1:${daemon.port}`])).came).toEqual(IN);
  });

  test("a target to which nothing is lent is nobody's secret", async () => {
    for (const field of ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])
      expect((await send(daemon.port, [field], "/anthropic/v1/messages")).came).toEqual(IN);
  });

  test("the page can read why, in the provider's shape, and how it is let in", async () => {
    const { headers, body } = await send(daemon.port, ["Origin: https://evil.example"]);
    expect(headers.some(([name, value]) => name.toLowerCase() === "access-control-allow-origin" && value === "*")).toBe(true);
    const { error } = JSON.parse(body) as { error: { code: string; message: string } };
    expect(error.code).toBe("origin_refused");
    expect(error.message).toContain("put that origin into allowed_origins of [cors], or set api_keys in [server]");
  });

  test("a browser that asks first is answered: the request itself may show a key", async () => {
    const fields = ["Origin: https://evil.example", "Access-Control-Request-Method: POST", "Connection: close"];
    expect((await send(daemon.port, fields, "/openai/v1/chat/completions", "OPTIONS")).status).toBe(204);
  });
});

describe.each(ENGINES)("with the %s engine", (engine) => {
  test("a key lets a page in, and origins come with a reload", async () => {
    const lent = await startRawUpstream(({ socket }) => socket.write(OK));
    const target = `[providers.openai]\nupstream = "${lent.url}"\nextra_headers = { X-Team-Token = "stored" }\n`;
    await using daemon = await startTestDaemon({ engine, toml: target });
    const foreign = ["Origin: https://evil.example"];
    const reload = async (toml: string) => {
      writeFileSync(daemon.config, toml);
      expect((await daemon.command("reload")).status).toBe(200);
    };
    expect((await send(daemon.port, foreign)).came).toEqual(REFUSED);
    await reload(`[cors]\nallowed_origins = ["https://evil.example"]\n${target}`);
    expect((await send(daemon.port, foreign)).came).toEqual(IN);
    await reload(`[cors]\nallowed_origins = ["*"]\n${target}`);
    expect((await send(daemon.port, foreign)).came).toEqual(REFUSED);
    await reload(`[server]\napi_keys = ["${KEY}"]\n${target}`);
    expect((await send(daemon.port, foreign)).came).toEqual([401, "api_key_required"]);
    expect((await send(daemon.port, [...foreign, `x-faultproxy-key: ${KEY}`])).came).toEqual(IN);
    lent.stop();
  });

  test.skipIf(engine === "serve")("a WebSocket, which no browser asks about first, is refused as well", async () => {
    const lent = await startRawUpstream(({ socket }) => socket.write(OK));
    const toml = `[providers.openai]\nupstream = "${lent.url}"\nextra_headers = { Authorization = "Bearer x" }\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    const fields = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    ];
    expect((await send(daemon.port, [...fields, "Origin: https://evil.example"], "/openai/v1/realtime", "GET")).came).toEqual(REFUSED);
    expect(lent.seen.length).toBe(0);
    lent.stop();
  });
});

describe.skipIf(Bun.which("openssl") === null).each(ENGINES)("a client certificate, with the %s engine", (engine) => {
  let made: Certificates;
  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());

  test("is shown for no page of another origin", async () => {
    const asked: string[] = [];
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { ...made.pair("good"), ca: made.ca, requestCert: true, rejectUnauthorized: true },
      fetch(incoming) {
        asked.push(incoming.url);
        return Response.json({});
      },
    });
    const toml = `[backend]\nendpoint = "https://127.0.0.1:${server.port}/v1"\n[backend.auth]\nca_file = "${made.certFile("ca")}"\ncert_file = "${made.certFile("alice")}"\nkey_file = "${made.keyFile("alice")}"\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    expect((await send(daemon.port, ["Origin: https://evil.example"])).came).toEqual(REFUSED);
    expect((await send(daemon.port, ["Sec-Fetch-Site: cross-site"], "/v1/files", "GET")).came).toEqual(REFUSED);
    expect(asked).toEqual([]);
    // What the proxy answers in the target's place is no use of it.
    expect((await send(daemon.port, ["Sec-Fetch-Site: cross-site"], "/health", "GET")).came).toEqual(IN);
    expect((await send(daemon.port, [])).came).toEqual(IN);
    expect(asked).toHaveLength(1);
    await server.stop(true);
  });
});
