import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import { type Certificates, makeCertificates } from "./support/certificates.ts";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { startHttpProxy } from "./support/http-proxy.ts";
import { complete, raw, request } from "./support/raw-client.ts";
import { answering, freePort, listening } from "./support/servers.ts";

const PASSWORD = "very-secret:pass/word%";
const CREDENTIALS = `us%20er:${encodeURIComponent(PASSWORD)}`;
const BASIC = `Basic ${Buffer.from(`us er:${PASSWORD}`).toString("base64")}`;

const ask = (daemon: TestDaemon, path = "/v1/chat/completions") => raw(daemon.port, request("POST", path, {}, "{}"), { until: complete });

async function startPlain() {
  const heads: string[] = [];
  const { port, stop } = await listening(createServer((socket) => answering(socket, (head) => heads.push(head))));
  return { port, heads, [Symbol.dispose]: stop };
}

describe.each(ENGINES)("a proxy of a target's own, with the %s engine", (engine) => {
  test("takes what is for an http target in the absolute form, with the credentials of its URL, which nobody else sees", async () => {
    using target = await startPlain();
    using proxy = await startHttpProxy(BASIC);
    const toml = `[backend]\nendpoint = "http://127.0.0.1:${target.port}/base/v1"\nproxy = "http://${CREDENTIALS}@127.0.0.1:${proxy.port}"\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    const answers = [await ask(daemon), await ask(daemon, "/v1/embeddings?a=1")];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(proxy.heads.map((head) => head.split("\r\n")[0])).toEqual([
      `POST http://127.0.0.1:${target.port}/base/v1/chat/completions HTTP/1.1`,
      `POST http://127.0.0.1:${target.port}/base/v1/embeddings?a=1 HTTP/1.1`,
    ]);
    for (const head of proxy.heads) expect(head).toContain(`\r\nProxy-Authorization: ${BASIC}\r\n`);
    expect(target.heads.join("").toLowerCase()).not.toContain("proxy-authorization");
    const status = await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).text();
    const told = [status, JSON.stringify(await daemon.events()), daemon.log(), ...answers.map(({ text }) => text)].join("\n");
    for (const secret of ["very-secret", BASIC]) expect(told).not.toContain(secret);
  });

  test("comes before the variables and their exceptions", async () => {
    using target = await startPlain();
    using proxy = await startHttpProxy();
    using unused = await startHttpProxy();
    const toml = (keys: string) => `[backend]\nendpoint = "http://127.0.0.1:${target.port}"\n${keys}`;
    const own = toml(`proxy = "http://127.0.0.1:${proxy.port}"\n`);
    const variables = { http_proxy: `http://127.0.0.1:${unused.port}`, HTTP_PROXY: `http://127.0.0.1:${unused.port}` };
    await using first = await startTestDaemon({ engine, toml: own, environment: variables });
    expect((await ask(first)).status).toBe(200);
    await using second = await startTestDaemon({ engine, toml: own, environment: { NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" } });
    expect((await ask(second)).status).toBe(200);
    expect([proxy.heads.length, unused.heads.length]).toEqual([2, 0]);
  });

  test.each(["", 'proxy = ""\n'])("where there is none (%j), the variables count, and their exceptions", async (keys) => {
    using target = await startPlain();
    using proxy = await startHttpProxy(BASIC);
    const toml = `[backend]\nendpoint = "http://127.0.0.1:${target.port}"\n${keys}`;
    const variables = { http_proxy: `http://${CREDENTIALS}@127.0.0.1:${proxy.port}` };
    await using through = await startTestDaemon({ engine, toml, environment: variables });
    expect((await ask(through)).status).toBe(200);
    expect(proxy.heads.length).toBe(1);
    await using past = await startTestDaemon({ engine, toml, environment: { ...variables, NO_PROXY: "127.0.0.1" } });
    expect((await ask(past)).status).toBe(200);
    expect([proxy.heads.length, target.heads.length]).toEqual([1, 2]);
  });

  test("is that of its table alone", async () => {
    using target = await startPlain();
    using one = await startHttpProxy();
    using two = await startHttpProxy();
    const at = (name: string, keys: string) =>
      `[${name}]\n${name === "backend" ? "endpoint" : "upstream"} = "http://127.0.0.1:${target.port}"\n${keys}\n`;
    const toml = [
      at("backend", `proxy = "http://127.0.0.1:${one.port}"`),
      at("providers.google", `proxy = "http://127.0.0.1:${two.port}"`),
      at("providers.anthropic", ""),
    ].join("");
    await using daemon = await startTestDaemon({ engine, toml });
    for (let turn = 0; turn < 3; turn++) {
      const paths = ["/openai/v1/a", "/google/v1/b", "/anthropic/v1/c"];
      expect((await Promise.all(paths.map((path) => ask(daemon, path)))).map(({ status }) => status)).toEqual([200, 200, 200]);
    }
    const asked = (heads: readonly string[]) => [...new Set(heads.map((head) => /^POST http:\/\/[^/]+(\S+)/.exec(head)?.[1]))];
    expect([asked(one.heads), asked(two.heads), target.heads.length]).toEqual([["/a"], ["/v1/b"], 9]);
  });

  test("that is not there", async () => {
    const port = await freePort();
    await using daemon = await startTestDaemon({
      engine,
      toml: `[backend]\nendpoint = "http://localhost:1"\nproxy = "http://127.0.0.1:${port}"\n`,
    });
    const got = await ask(daemon);
    expect([got.status, got.text]).toEqual([502, expect.stringContaining("x-faultproxy-error: upstream_refused")]);
    if (engine === "wire") expect(got.body).toContain(`the proxy 127.0.0.1:${port} refused the connection`);
  });

  describe.skipIf(Bun.which("openssl") === null)("and client certificates", () => {
    let made: Certificates;
    beforeAll(() => {
      made = makeCertificates();
    });
    afterAll(() => made.remove());

    async function startDemanding() {
      const clients: string[] = [];
      const heads: string[] = [];
      const server = createTls({ ...made.pair("good"), requestCert: true, ca: made.ca }, (socket) => {
        clients.push(String(socket.getPeerCertificate().subject.CN));
        answering(socket as Socket, (head) => heads.push(head));
      });
      server.on("tlsClientError", () => {});
      const { port, stop } = await listening(server);
      return { port, clients, heads, [Symbol.dispose]: stop };
    }
    const backend = (port: number, proxy: string) => `[backend]
endpoint = "https://localhost:${port}/base/v1"\nproxy = "${proxy}"\ntimeout = "5s"
[backend.auth]
cert_file = "${made.certFile("alice")}"\nkey_file = "${made.keyFile("alice")}"\nca_file = "${made.certFile("ca")}"\n`;

    test("reach the target through CONNECT, once for all requests", async () => {
      using target = await startDemanding();
      using proxy = await startHttpProxy(BASIC);
      await using daemon = await startTestDaemon({ engine, toml: backend(target.port, `http://${CREDENTIALS}@127.0.0.1:${proxy.port}`) });
      for (let turn = 0; turn < 3; turn++) expect((await ask(daemon)).status).toBe(200);
      expect(proxy.heads.length).toBe(1);
      expect(proxy.heads[0]).toStartWith(`CONNECT localhost:${target.port} HTTP/1.1\r\n`);
      expect(proxy.heads[0]).toContain(`\r\nProxy-Authorization: ${BASIC}\r\n`);
      expect(target.clients).toEqual(["alice"]);
      expect(target.heads[0]).toStartWith("POST /base/v1/chat/completions HTTP/1.1\r\n");
      expect(target.heads.join("").toLowerCase()).not.toContain("proxy-authorization");
    });

    test("a proxy that does not take the credentials gets to see neither", async () => {
      using target = await startDemanding();
      using proxy = await startHttpProxy("Basic other");
      await using daemon = await startTestDaemon({ engine, toml: backend(target.port, `http://${CREDENTIALS}@127.0.0.1:${proxy.port}`) });
      const got = await ask(daemon);
      expect(got.status).toBe(502);
      if (engine === "wire") expect(got.body).toContain("(407: it does not take the user and password of its URL)");
      expect(got.text + daemon.log()).not.toContain("very-secret");
      expect([target.clients, target.heads]).toEqual([[], []]);
    });
  });
});

test("a proxy whose URL cannot be used is told at the start, and its target is never met without it", async () => {
  using target = await startPlain();
  const toml = `[backend]\nendpoint = "http://127.0.0.1:${target.port}"\nproxy = "http://me:50%zz@127.0.0.1:1"\n`;
  await using daemon = await startTestDaemon({ engine: "wire", toml });
  const sentence = "proxy has a % in its user or password that stands for no character (write it %25)";
  expect((await ask(daemon)).body).toContain(sentence);
  expect(daemon.warnings()).toContain(
    `${sentence}: expected http://[USER:PASSWORD@]HOST[:PORT]; requests to 127.0.0.1:${target.port} get a 502`,
  );
  expect(daemon.log()).not.toContain("50%zz");
  expect(target.heads).toEqual([]);
});
