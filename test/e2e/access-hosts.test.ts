import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "./support/certificates.ts";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";
import { OK } from "./support/servers.ts";

const KEY = "a-key-of-the-proxy";

type Answer = readonly [status: number, error: string | undefined];
const SERVED: Answer = [200, undefined];
const NOT_SERVED: Answer = [421, "host_not_served"];

async function send(port: number, bytes: string): Promise<Answer> {
  const { status, headers } = await raw(port, bytes, { until: complete });
  return [status, headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]];
}

const get = (hostLine: string, target = "/v1/models", minor = 1) =>
  `GET ${target} HTTP/1.${minor}\r\n${hostLine === "" ? "" : `${hostLine}\r\n`}Connection: close\r\n\r\n`;

describe.each(ENGINES)("the name that a request asks by, with the %s engine", (engine) => {
  let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
  let daemon: TestDaemon;
  beforeAll(async () => {
    upstream = await startRawUpstream(({ socket }) => socket.write(OK));
    const toml = `[server]\nnames = ["llm.example.com"]\n[providers.openai]\nupstream = "${upstream.url}"\n`;
    daemon = await startTestDaemon({ engine, toml });
  });
  afterAll(async () => {
    await daemon.stop();
    upstream.stop();
  });

  test.each([
    "Host: 127.0.0.1",
    "Host: 127.0.0.1:1",
    "hOsT: LOCALHOST:8888",
    "Host: localhost.",
    "Host: x.localhost",
    "Host: [::1]:8888",
    "Host: 10.1.2.3",
    "Host: faultproxy",
    `Host: ${hostname()}`,
    "Host: llm.example.com:8888",
    "Host: LLM.example.com.",
    "Host:",
  ])("%s is answered", async (line) => {
    expect(await send(daemon.port, get(line))).toEqual(SERVED);
  });

  test("none, as in HTTP/1.0, is answered", async () => {
    expect(await send(daemon.port, get("", "/v1/models", 0))).toEqual(SERVED);
    expect(await send(daemon.port, get("Host: evil.example", "/v1/models", 0))).toEqual(NOT_SERVED);
  });

  test.each([
    "Host: evil.example",
    "HOST: EVIL.example:8888",
    "Host: 127.0.0.1.evil.example",
    "Host: localhost.evil.example",
    "Host: evil.example.",
    "Host: x.llm.example.com",
    "Host: llm.example.com.evil.example",
  ])("%s is not, and the target hears nothing", async (line) => {
    const before = upstream.seen.length;
    for (const target of [
      "/v1/models",
      "/anthropic/v1/models",
      "/health",
      "/metrics",
      "//localhost/v1/models",
      "/v1/models?host=localhost",
    ])
      expect(await send(daemon.port, get(line, target))).toEqual(NOT_SERVED);
    expect(upstream.seen.length).toBe(before);
  });

  test.each([
    ["user information", "Host: user@localhost"],
    ["user information before a strange name", "Host: localhost@evil.example"],
    ["two names in one", "Host: localhost, evil.example"],
    ["two fields", "Host: localhost\r\nHost: evil.example"],
    ["two fields, the strange one first", "Host: evil.example\r\nhost: localhost"],
    ["an encoded name", "Host: local%68ost"],
    ["a path", "Host: localhost/evil.example"],
    ["a broken address", "Host: [::1"],
  ])("%s: no answer of a target", async (_, line) => {
    const before = upstream.seen.length;
    expect([400, 421]).toContain((await send(daemon.port, get(line)))[0]);
    expect(upstream.seen.length).toBe(before);
  });

  test("a field that only looks like it does not count", async () => {
    expect(await send(daemon.port, get("Host: localhost\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example"))).toEqual(
      SERVED,
    );
    expect(await send(daemon.port, get("X-Host: localhost\r\nHost: evil.example\r\nX-Forwarded-Host: localhost"))).toEqual(NOT_SERVED);
  });

  // Bun's server gives no more than the field.
  test.skipIf(engine === "serve")("of an absolute target, its own authority counts", async () => {
    expect(await send(daemon.port, get("Host: localhost", "http://evil.example/v1/models"))).toEqual(NOT_SERVED);
    expect(await send(daemon.port, get("Host: localhost", "HTTP://EVIL.example:80?x"))).toEqual(NOT_SERVED);
    expect(await send(daemon.port, get("Host: evil.example", "http://localhost:8888/v1/models"))).toEqual(SERVED);
    expect(await send(daemon.port, get("Host: localhost", "http://localhost/v1/models"))).toEqual(SERVED);
  });

  test("the refusal has the provider's shape, and says what to write", async () => {
    const answer = await fetch(`${daemon.origin}/anthropic/v1/messages`, { method: "POST", headers: { host: "evil.example" }, body: "{}" });
    expect(answer.status).toBe(421);
    const { type, error } = (await answer.json()) as { type: string; error: { message: string } };
    expect(type).toBe("error");
    expect(error.message).toContain('put names = ["evil.example"] into [server]');
  });

  test("a page that a name of its own has brought here is not let in by its preflight either", async () => {
    const fields = "Host: evil.example\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST";
    expect(await send(daemon.port, get(fields).replace("GET", "OPTIONS"))).toEqual(NOT_SERVED);
  });
});

describe.each(ENGINES)("with the %s engine", (engine) => {
  test("names come and go with a reload, and `*` is any", async () => {
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"], toml: "" });
    const ask = () => send(daemon.port, get("Host: llm.example.com"));
    const reload = async (toml: string) => {
      writeFileSync(daemon.config, toml);
      expect((await daemon.command("reload")).status).toBe(200);
    };
    expect(await ask()).toEqual(NOT_SERVED);
    await reload('[server]\nnames = ["LLM.example.com"]\n');
    expect(await ask()).toEqual(SERVED);
    await reload('[server]\nnames = ["*"]\n');
    expect(await ask()).toEqual(SERVED);
    expect(await send(daemon.port, get("Host: evil.example"))).toEqual(SERVED);
    await reload("");
    expect(await ask()).toEqual(NOT_SERVED);
  });

  test("with keys any name will do: who has none gets nothing", async () => {
    const toml = `[server]\napi_keys = ["${KEY}"]\n`;
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"], toml });
    expect(await send(daemon.port, get("Host: evil.example"))).toEqual([401, "api_key_required"]);
    expect(await send(daemon.port, get(`Host: evil.example\r\nx-faultproxy-key: ${KEY}`))).toEqual(SERVED);
  });

  test("over a Unix socket no page comes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "faultproxy-hosts-"));
    const path = join(folder, "data.sock");
    await using daemon = await startTestDaemon({ engine, args: ["--simulate", "--listen", `unix:${path}`] });
    expect(await send(daemon.port, get("Host: evil.example"))).toEqual(NOT_SERVED);
    expect((await fetch("http://evil.example/v1/models", { unix: path })).status).toBe(200);
    rmSync(folder, { recursive: true });
  });

  test("where it listens by a name, it is known by that name", async () => {
    // Every system knows this one.
    await using daemon = await startTestDaemon({ engine, args: ["--simulate", "--host", "localhost", "--listen", "127.0.0.1:0"] });
    expect(await send(daemon.port, get("Host: localhost"))).toEqual(SERVED);
    expect(await send(daemon.port, get("Host: evil.example"))).toEqual(NOT_SERVED);
  });

  test("nothing of the control socket is on its ports", async () => {
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"] });
    for (const path of ["/v1/status", "/v1/command", "/v1/events", "/v1/rules", "/v1/breaker"]) {
      const answer = await fetch(`${daemon.origin}${path}`, { headers: { host: "localhost" } });
      expect([answer.status, Object.keys((await answer.json()) as object)]).toEqual([404, ["error"]]);
    }
  });
});

describe.skipIf(Bun.which("openssl") === null).each(ENGINES)("with TLS and the %s engine", (engine) => {
  let made: Certificates;
  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());

  test("a page cannot pass for this proxy: its name does not stand in the certificate", async () => {
    const args = ["--simulate", "--tls-cert", made.certFile("good"), "--tls-key", made.keyFile("good")];
    await using daemon = await startTestDaemon({ engine, args });
    const url = `https://127.0.0.1:${daemon.port}/v1/models`;
    const answer = await fetch(url, { headers: { host: "llm.example.com" }, tls: { ca: made.ca, checkServerIdentity: () => undefined } });
    expect(answer.status).toBe(200);
  });
});
