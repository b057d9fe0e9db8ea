import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import { type Certificates, makeCertificates } from "./support/certificates.ts";
import { BINARY, ENGINES, type EngineName, startTestDaemon } from "./support/daemon.ts";
import { DENIED, startHttpProxy } from "./support/http-proxy.ts";
import { complete, raw, request } from "./support/raw-client.ts";
import { answering, freePort, listening } from "./support/servers.ts";

const PASSWORD = "very-secret:pass/word%";
const CREDENTIALS = `us%20er:${encodeURIComponent(PASSWORD)}`;
const BASIC = `Basic ${Buffer.from(`us er:${PASSWORD}`).toString("base64")}`;
const HAS_OPENSSL = Bun.which("openssl") !== null;

describe("HTTP proxies", () => {
  let made: Certificates | undefined;
  beforeAll(() => {
    if (HAS_OPENSSL) made = makeCertificates();
  });
  afterAll(() => made?.remove());

  async function startTarget(isTls: boolean, host = "127.0.0.1") {
    const heads: string[] = [];
    const names: unknown[] = [];
    const take = (socket: Socket) => answering(socket, (head) => heads.push(head));
    const server = isTls
      ? createTls(made?.pair("good") ?? {}, (socket) => {
          names.push(socket.servername);
          take(socket);
        })
      : createServer(take);
    return { ...(await listening(server, host)), heads, names };
  }

  /** Sends requests through a daemon with these variables, and gives the answers. */
  async function through(
    url: string,
    environment: Readonly<Record<string, string>>,
    engine: EngineName = "wire",
    times = 1,
    args: string[] = [],
  ) {
    const daemon = await startTestDaemon({
      engine,
      args: ["--upstream", `openai=${url}`, ...args],
      environment: { ...(made === undefined ? {} : { NODE_EXTRA_CA_CERTS: made.certFile("ca") }), ...environment },
    });
    const answers = [];
    for (let turn = 0; turn < times; turn++)
      answers.push(await raw(daemon.port, request("POST", "/v1/chat/completions?a=1", {}, "{}"), { until: complete }));
    const told = JSON.stringify(await daemon.events()) + daemon.log();
    await daemon.stop();
    for (const text of [told, ...answers.map(({ text }) => text)]) {
      expect(text).not.toContain("very-secret");
      expect(text).not.toContain(BASIC);
    }
    const [first] = answers;
    if (first === undefined) throw new Error("no answer");
    const reason = first.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1];
    return { statuses: answers.map(({ status }) => status), text: first.text, reason, log: daemon.log() };
  }

  describe.each(ENGINES)("with the %s engine", (engine) => {
    test.skipIf(!HAS_OPENSSL)("an https target is reached by CONNECT, once for all requests, with the credentials of the URL", async () => {
      const target = await startTarget(true);
      const proxy = await startHttpProxy(BASIC);
      const got = await through(
        `https://localhost:${target.port}`,
        { HTTPS_PROXY: `http://${CREDENTIALS}@127.0.0.1:${proxy.port}` },
        engine,
        3,
      );
      target.stop();
      proxy.stop();
      expect(got.statuses).toEqual([200, 200, 200]);
      expect(proxy.heads.length).toBe(1);
      expect(proxy.heads[0]).toStartWith(`CONNECT localhost:${target.port} HTTP/1.1\r\n`);
      expect(proxy.heads[0]?.toLowerCase()).toContain(`\r\nhost: localhost:${target.port}\r\n`);
      expect(proxy.heads[0]).toContain(`Proxy-Authorization: ${BASIC}\r\n`);
      expect(target.heads.length).toBe(3);
      expect(target.heads.join().toLowerCase()).not.toContain("proxy-");
      expect(target.names).toEqual(["localhost"]);
    });

    test("an http target is asked for in the absolute form", async () => {
      const target = await startTarget(false);
      const proxy = await startHttpProxy(BASIC);
      const got = await through(
        `http://127.0.0.1:${target.port}/base`,
        { http_proxy: `http://${CREDENTIALS}@localhost:${proxy.port}` },
        engine,
        2,
      );
      target.stop();
      proxy.stop();
      expect(got.statuses).toEqual([200, 200]);
      expect(proxy.heads[0]).toStartWith(`POST http://127.0.0.1:${target.port}/base/v1/chat/completions?a=1 HTTP/1.1\r\n`);
      expect(proxy.heads[0]?.toLowerCase()).toContain(`\r\nhost: 127.0.0.1:${target.port}\r\n`);
      expect(proxy.heads[0]).toContain(`Proxy-Authorization: ${BASIC}\r\n`);
    });

    test("an exception is met without it", async () => {
      const target = await startTarget(false);
      const proxy = await startHttpProxy();
      const variables = { http_proxy: `http://127.0.0.1:${proxy.port}`, no_proxy: "localhost,127.0.0.1" };
      const got = await through(`http://127.0.0.1:${target.port}`, variables, engine);
      target.stop();
      proxy.stop();
      expect([got.statuses, proxy.heads.length, target.heads.length]).toEqual([[200], 0, 1]);
    });
  });

  describe("with the wire engine", () => {
    test("connections to an http proxy are kept", async () => {
      const target = await startTarget(false);
      const proxy = await startHttpProxy();
      const got = await through(`http://127.0.0.1:${target.port}`, { http_proxy: `http://127.0.0.1:${proxy.port}` }, "wire", 3);
      target.stop();
      proxy.stop();
      expect([got.statuses, proxy.heads.length, proxy.connections()]).toEqual([[200, 200, 200], 3, 1]);
    });

    test.skipIf(!HAS_OPENSSL)(
      "the certificate of an address behind a proxy is compared with the address, and no name is sent",
      async () => {
        const target = await startTarget(true);
        const named = await listening(createTls(made?.pair("name-only") ?? {}, (socket) => answering(socket)));
        const proxy = await startHttpProxy();
        const variables = { HTTPS_PROXY: `http://localhost:${proxy.port}` };
        expect((await through(`https://127.0.0.1:${target.port}`, variables)).statuses).toEqual([200]);
        // This certificate is the proxy's name's, which says nothing about the target.
        const other = await through(`https://127.0.0.1:${named.port}`, variables);
        target.stop();
        named.stop();
        proxy.stop();
        expect(target.names).toEqual([false]);
        expect(other).toMatchObject({ reason: "upstream_tls", text: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID") });
      },
    );

    test
      .skipIf(!HAS_OPENSSL)
      .each([
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
      ])("a proxy that accepts by %j", async (accepted) => {
      const target = await startTarget(true);
      const proxy = await startHttpProxy(undefined, accepted);
      const got = await through(`https://localhost:${target.port}`, { HTTPS_PROXY: `127.0.0.1:${proxy.port}` });
      target.stop();
      proxy.stop();
      expect(got.statuses).toEqual([200]);
    });

    test.skipIf(!HAS_OPENSSL)("8 MiB go through CONNECT and back", async () => {
      const large = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef~");
      const echo = await listening(
        createTls(made?.pair("good") ?? {}, (socket) => {
          let isHead = true;
          let came = 0;
          socket.on("error", () => {});
          socket.on("data", (data: Buffer) => {
            if (isHead) socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n`);
            const body = isHead ? data.subarray(data.indexOf("\r\n\r\n") + 4) : data;
            isHead = false;
            came += body.length;
            socket.write(body);
            if (came === large.length) socket.end();
          });
        }),
      );
      const proxy = await startHttpProxy();
      const daemon = await startTestDaemon({
        engine: "wire",
        args: ["--upstream", `openai=https://localhost:${echo.port}`],
        environment: { NODE_EXTRA_CA_CERTS: made?.certFile("ca") ?? "", https_proxy: `http://127.0.0.1:${proxy.port}` },
      });
      const answer = await fetch(`${daemon.origin}/v1/files`, { method: "POST", body: large });
      expect(Bun.hash(await answer.arrayBuffer())).toBe(Bun.hash(large));
      await daemon.stop();
      echo.stop();
      proxy.stop();
    });

    const talk = (bytes: string) => (socket: Socket) => socket.write(bytes);
    test.each<[string, "https" | "http", (socket: Socket) => unknown, number, string, string]>([
      ["asks for credentials", "https", talk(DENIED), 502, "upstream_refused", "(407: it asks for a user and a password in its URL)"],
      ["asks for credentials", "http", talk(DENIED), 502, "upstream_refused", "(407: it asks for a user and a password in its URL)"],
      [
        "refuses",
        "https",
        talk("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
        502,
        "upstream_refused",
        "refused to connect to localhost:1 (403)",
      ],
      ["talks nonsense", "https", talk("hello\r\n\r\n"), 502, "upstream_protocol", "did not answer in HTTP"],
      ["talks nonsense", "http", talk("hello\r\n\r\n"), 502, "upstream_protocol", "did not answer in HTTP"],
      [
        "talks without end",
        "https",
        talk(`HTTP/1.1 200 OK\r\nx: ${"a".repeat(200_000)}`),
        502,
        "upstream_protocol",
        "did not answer in HTTP",
      ],
      ["hangs up", "https", (socket) => socket.end(), 502, "upstream_closed_early", "closed the connection when asked for localhost:1"],
      ["resets", "https", (socket) => socket.resetAndDestroy(), 502, "upstream_closed_early", "closed the connection"],
      ["says nothing", "https", () => {}, 504, "upstream_timeout", "within 0.2 s (--connect-timeout)"],
      [
        "connects to what does not speak TLS",
        "https",
        talk("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH\r\n"),
        504,
        "upstream_timeout",
        "no TLS handshake with localhost:1 within 0.2 s",
      ],
    ])("a proxy that %s (%s)", async (_, scheme, take, status, reason, sentence) => {
      const proxy = await listening(
        createServer((socket) => {
          socket.on("error", () => {});
          socket.once("data", () => take(socket));
        }),
      );
      const got = await through(`${scheme}://localhost:1`, { ALL_PROXY: `http://127.0.0.1:${proxy.port}` }, "wire", 1, [
        "--connect-timeout",
        "200ms",
      ]);
      proxy.stop();
      expect(got).toMatchObject({ statuses: [status], reason, text: expect.stringContaining(sentence) });
    });

    test("credentials that the proxy does not take", async () => {
      const proxy = await startHttpProxy("Basic other");
      const variables = { ALL_PROXY: `http://${CREDENTIALS}@127.0.0.1:${proxy.port}` };
      for (const scheme of ["http", "https"])
        expect((await through(`${scheme}://localhost:1`, variables)).text).toContain(
          "(407: it does not take the user and password of its URL)",
        );
      proxy.stop();
    });

    test.each(["http", "https"])("no proxy listens (%s)", async (scheme) => {
      const port = await freePort();
      const got = await through(`${scheme}://localhost:1`, { ALL_PROXY: `http://127.0.0.1:${port}` });
      expect(got).toMatchObject({
        statuses: [502],
        reason: "upstream_refused",
        text: expect.stringContaining(`the proxy 127.0.0.1:${port} refused`),
      });
    });

    test("a proxy whose name does not exist", async () => {
      const got = await through("http://localhost:1", { ALL_PROXY: `http://faultproxy-test.invalid:1` });
      expect(got).toMatchObject({ reason: "upstream_dns", text: expect.stringContaining("the name faultproxy-test.invalid of the proxy") });
    });

    test("a proxy that is not spoken is told at the start, and its targets are never met without it", async () => {
      const target = await startTarget(false);
      const got = await through(`http://127.0.0.1:${target.port}`, { ALL_PROXY: `socks5://${CREDENTIALS}@127.0.0.1:1` });
      target.stop();
      expect(got).toMatchObject({
        statuses: [502],
        reason: "upstream_refused",
        text: expect.stringContaining("ALL_PROXY names a socks5 proxy"),
      });
      expect(got.log).toContain(
        `ALL_PROXY names a socks5 proxy, which is not spoken: expected http://[USER:PASSWORD@]HOST[:PORT]; requests to 127.0.0.1:${target.port}, `,
      );
      expect(target.heads).toEqual([]);
    });
  });

  test.each([
    ["socks5://me:secret@127.0.0.1:1", "--simulate"],
    ["http://127.0.0.1:1", "--simulate"],
  ])("run works where %s is set for its command, and the command gets it", async (proxy, option) => {
    const variables = { ALL_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, PATH: process.env.PATH ?? "" };
    const script = 'echo "$ALL_PROXY $HTTPS_PROXY $http_proxy $NO_PROXY"; exit 3';
    const child = Bun.spawn([BINARY, "run", option, "--", "sh", "-c", script], {
      env: variables,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect([code, out]).toEqual([3, `${proxy} ${proxy} ${proxy} 127.0.0.1\n`]);
    expect(err).not.toContain("warning");
  });
});
