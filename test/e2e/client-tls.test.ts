import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type CertificateName, type Certificates, makeCertificates } from "./support/certificates.ts";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, type EngineName, eventually, startTestDaemon } from "./support/daemon.ts";
import { request } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";
import { freePort, listening } from "./support/servers.ts";

const HAS_CURL_HTTP2 = Bun.spawnSync(["sh", "-c", "curl --version | grep -q HTTP2"]).exitCode === 0;
const STREAM = JSON.stringify({ model: "gpt-4o", stream: true, messages: [{ role: "user", content: "hello" }] });
const LARGE = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef~");

describe.skipIf(Bun.which("openssl") === null || Bun.which("curl") === null)("TLS towards clients", () => {
  let made: Certificates;
  const ends: (() => unknown)[] = [];
  beforeAll(() => {
    made = makeCertificates();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(() => made.remove());

  const options = (name: CertificateName = "good") => ["--tls-cert", made.certFile(name), "--tls-key", made.keyFile(name)];

  async function start(engine: EngineName, args: readonly string[] = ["--simulate"], environment = {}) {
    const daemon = await startTestDaemon({ engine, args: [...options(), ...args], environment });
    ends.push(() => daemon.stop());
    return daemon;
  }

  /** What curl says of a request, and the body that it got. */
  async function curl(port: number, path: string, words: readonly string[] = []) {
    const told = "\n%{http_version} %{http_code} %{exitcode}";
    const child = Bun.spawn(
      ["curl", "-sN", "--max-time", "10", "--cacert", made.certFile("ca"), "-w", told, `https://localhost:${port}${path}`, ...words],
      { env: CLEAN_ENVIRONMENT, stdin: "ignore", stdout: "pipe" },
    );
    const all = await new Response(child.stdout).text();
    const end = all.lastIndexOf("\n");
    const [version = "", status = "", exit = ""] = all.slice(end + 1).split(" ");
    return { version, status: Number(status), exit: Number(exit), body: all.slice(0, end) };
  }

  /** A TLS connection and how the proxy ended it, as the client is told. */
  function connection(port: number, bytes: string) {
    let text = "";
    const ended = Promise.withResolvers<"fin" | "rst">();
    const socket: TLSSocket = connectTls({ host: "localhost", port, ca: made.ca }, () => socket.write(bytes));
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("end", () => ended.resolve("fin"));
    socket.on("error", () => ended.resolve("rst"));
    ends.push(() => socket.destroy());
    return { socket, ended: ended.promise, text: () => text };
  }

  async function http2(port: number) {
    const session = connectHttp2(`https://localhost:${port}`, { ca: made.ca });
    session.on("error", () => {});
    ends.push(() => session.destroy());
    return (path: string, body?: string, headers: Record<string, string> = {}) => {
      const stream = session.request({ ":method": body === undefined ? "GET" : "POST", ":path": path, ...headers });
      let text = "";
      let status: number | undefined;
      const over = Promise.withResolvers<number>();
      stream.on("response", (head) => {
        status = head[":status"];
      });
      stream.on("data", (data) => {
        text += data;
      });
      stream.on("error", () => {});
      stream.on("close", () => over.resolve(stream.rstCode ?? 0));
      stream.end(body);
      return { stream, text: () => text, status: () => status, over: over.promise };
    };
  }

  /** A target that hashes what comes and answers with as much. */
  async function startHashing() {
    const server = createHttp(async (incoming, outgoing) => {
      const parts: Buffer[] = [];
      for await (const part of incoming) parts.push(part as Buffer);
      outgoing.writeHead(200, { "x-hash": String(Bun.hash(Buffer.concat(parts))), "content-type": "application/octet-stream" });
      outgoing.end(LARGE);
    });
    const target = await listening(server);
    ends.push(() => target.stop());
    return `openai=http://127.0.0.1:${target.port}`;
  }

  /** Descriptors of a process, where the system tells them. */
  const HAS_PROC = existsSync("/proc/self/fd");
  const open = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

  /** The same, once the connections before have gone. */
  const settled = async (pid: number) => {
    await Bun.sleep(200);
    return open(pid);
  };

  describe.each(ENGINES)("with the %s engine", (engine) => {
    test("curl is answered in HTTP/1.1, and streams come as they are made", async () => {
      const daemon = await start(engine, ["--simulate", "--between", "10ms"]);
      expect(await curl(daemon.port, "/v1/models", ["--http1.1"])).toMatchObject({ version: "1.1", status: 200, exit: 0 });
      const { socket, text } = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      let pieces = 0;
      socket.on("data", () => pieces++);
      await eventually(() => (text().includes("[DONE]") ? true : undefined), "the end of the stream");
      expect(pieces).toBeGreaterThan(10);
    });

    test.each(["TLSv1.2", "TLSv1.3"] as const)("%s is spoken", async (version) => {
      const daemon = await start(engine);
      const socket = connectTls({ host: "localhost", port: daemon.port, ca: made.ca, minVersion: version, maxVersion: version });
      await new Promise((resolve) => socket.on("secureConnect", resolve));
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    });

    test("24 MiB go up and down unharmed, with a length and in chunks", async () => {
      const daemon = await start(engine, ["--upstream", await startHashing()]);
      for (const headers of [{ "content-length": String(LARGE.length) }, { "transfer-encoding": "chunked" }]) {
        const sent = requestHttps({ host: "localhost", port: daemon.port, ca: made.ca, method: "POST", path: "/v1/files", headers });
        const answer = new Promise<[unknown, Buffer]>((resolve, reject) => {
          sent.on("error", reject);
          sent.on("response", async (response) => {
            const parts: Buffer[] = [];
            for await (const part of response) parts.push(part as Buffer);
            resolve([response.headers["x-hash"], Buffer.concat(parts)]);
          });
        });
        for (let at = 0; at < LARGE.length; at += 1_000_003) sent.write(LARGE.subarray(at, at + 1_000_003));
        sent.end();
        const [hash, body] = await answer;
        expect(hash).toBe(String(Bun.hash(LARGE)));
        expect(Bun.hash(body)).toBe(Bun.hash(LARGE));
      }
    });

    test("a client that does not read is waited for, and gets everything when it does", async () => {
      const daemon = await start(engine, ["--upstream", await startHashing()]);
      const { socket } = connection(daemon.port, "");
      await new Promise((resolve) => socket.on("secureConnect", resolve));
      socket.removeAllListeners("data");
      socket.pause();
      socket.write(request("GET", "/v1/files/large", { connection: "close" }));
      await Bun.sleep(300);
      let bytes = 0;
      const all = new Promise((resolve) => socket.on("end", resolve));
      socket.on("data", (data) => {
        bytes += data.length;
      });
      socket.resume();
      await all;
      expect(bytes).toBeGreaterThan(LARGE.length);
      expect(bytes).toBeLessThan(LARGE.length * 1.01);
    });

    test("a client that leaves is told to the target", async () => {
      const target = await startRawUpstream(({ socket }) =>
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
      );
      ends.push(() => target.stop());
      const daemon = await start(engine, ["--upstream", `openai=${target.url}`]);
      const { socket, text } = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      await eventually(() => (text().includes("hi") ? true : undefined), "the beginning");
      socket.destroy();
      await target.seen[0]?.closed;
      expect(await daemon.event((event) => event.type === "exchange")).toMatchObject({ done: "client_gone" });
    });

    test("faults that cut are seen as RST, behind what came before", async () => {
      const daemon = await start(engine);
      await daemon.command("reset");
      const first = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      expect([await first.ended, first.text()]).toEqual(["rst", ""]);
      await daemon.command("cut after=3 by=reset");
      const second = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      expect(await second.ended).toBe("rst");
      expect(second.text().match(/\ndata: /g)?.length).toBe(3);
    });

    test.skipIf(!HAS_PROC)("who does not come to speak TLS is let go, without a word and without a trace", async () => {
      const daemon = await start(engine);
      await curl(daemon.port, "/v1/models");
      const before = await settled(daemon.pid);
      const hello = Buffer.from("160301020001", "hex");
      const clients = ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", Buffer.alloc(2_000, 255), "", hello].flatMap((bytes) =>
        ["fin", "rst", "waits"].map(async (how) => {
          const socket = connectTcp(daemon.port, "127.0.0.1");
          socket.on("error", () => {});
          const closed = new Promise((resolve) => socket.on("close", resolve));
          socket.write(bytes);
          socket.resume();
          await Bun.sleep(50);
          if (how === "fin") socket.end();
          else if (how === "rst") socket.resetAndDestroy();
          else if (bytes === "" || bytes === hello) socket.destroy();
          await closed;
        }),
      );
      const untrusting = connectTls({ host: "localhost", port: daemon.port, ca: made.pair("other").cert });
      await new Promise((resolve) => untrusting.on("error", resolve));
      untrusting.destroy();
      const old = Bun.spawnSync(["openssl", "s_client", "-tls1_1", "-connect", `127.0.0.1:${daemon.port}`], { stdin: "ignore" });
      expect(old.exitCode).not.toBe(0);
      await Promise.all(clients);
      await eventually(() => (open(daemon.pid) <= before ? true : undefined), "the end of all connections");
      expect((await curl(daemon.port, "/v1/models")).status).toBe(200);
      expect((await daemon.events()).filter(({ type }) => type === "exchange")).toHaveLength(2);
      const types = () =>
        daemon
          .log()
          .split("\n")
          .flatMap((line) => (line === "" ? [] : [JSON.parse(line).type]));
      await eventually(() => (types().length >= 2 ? true : undefined), "two lines");
      expect(types()).toEqual(["exchange", "exchange"]);
    });

    test.skipIf(!HAS_PROC)("it ends when told to, whoever is connected", async () => {
      const daemon = await start(engine, ["--simulate", "--ttft", "500ms"]);
      const idle = connection(daemon.port, request("GET", "/v1/models"));
      await eventually(() => (idle.text().includes("200 OK") ? true : undefined), "an answer");
      const running = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      const silent = connectTcp(daemon.port, "127.0.0.1");
      silent.on("error", () => {});
      ends.push(() => silent.destroy());
      await daemon.event(({ type }) => type === "exchange");
      await Bun.sleep(100);
      process.kill(daemon.pid, "SIGTERM");
      expect(await running.ended).toBe("fin");
      expect(running.text()).toContain("[DONE]");
      await eventually(() => (existsSync(`/proc/${daemon.pid}`) ? undefined : true), "the end");
    });

    test("every TCP port speaks it, a unix socket does not", async () => {
      const port = await freePort();
      const [unix, file] = [join(made.folder, `${engine}.sock`), join(made.folder, `${engine}.toml`)];
      writeFileSync(
        file,
        `tls_cert = "${made.certFile("good")}"\ntls_key = "${made.keyFile("good")}"\n[providers.anthropic]\nport = ${port}\n`,
      );
      const further = await freePort();
      const args = ["--simulate", "--listen", `google=127.0.0.1:${further}`, "--listen", `unix:${unix}`, "--config", file];
      const daemon = await startTestDaemon({ engine, args });
      ends.push(() => daemon.stop());
      for (const each of [daemon.port, port, further]) expect((await curl(each, "/v1/models")).status).toBe(200);
      expect((await fetch("http://localhost/v1/models", { unix })).status).toBe(200);
      const status = await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).text();
      expect(JSON.parse(status)).toMatchObject({
        scheme: "https",
        origin: `https://127.0.0.1:${daemon.port}`,
        addresses: [`google https://127.0.0.1:${further}`, `unix:${unix}`],
      });
      expect(status + daemon.log() + JSON.stringify(await daemon.events())).not.toContain("BEGIN");
    });

    test("the built-in provider's own addresses say https", async () => {
      const daemon = await start(engine);
      const { body } = await curl(daemon.port, "/databricks/oidc/.well-known/oauth-authorization-server");
      expect(JSON.parse(body).token_endpoint).toStartWith(`https://localhost:${daemon.port}/databricks/`);
    });

    test("the command of run is led there", async () => {
      const script =
        'echo "$OPENAI_BASE_URL" "$ANTHROPIC_HOST"; curl -s "$OPENAI_BASE_URL/models" --cacert "$CA" -o /dev/null -w "%{http_code}"';
      const child = Bun.spawn([BINARY, "run", "--engine", engine, "--simulate", ...options(), "--", "sh", "-c", script], {
        env: { ...CLEAN_ENVIRONMENT, CA: made.certFile("ca") },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      });
      expect(await new Response(child.stdout).text()).toMatch(/^(https:\/\/127\.0\.0\.1:\d+)\/v1 \1\n200$/);
    });

    test("NODE_EXTRA_CA_CERTS makes a client of run trust a certificate that signed itself", async () => {
      const script =
        "fetch(process.env.OPENAI_BASE_URL + '/models').then((answer) => console.log(answer.status), () => console.log('refused'))";
      for (const [extra, expected] of [
        ["", "refused\n"],
        [made.certFile("self-signed"), "200\n"],
      ] as const) {
        const words = [BINARY, "run", "--engine", engine, "--simulate", ...options("self-signed"), "--", process.execPath, "-e", script];
        const environment = { ...CLEAN_ENVIRONMENT, NODE_EXTRA_CA_CERTS: extra };
        const child = Bun.spawn(words, { env: environment, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
        expect(await new Response(child.stdout).text()).toBe(expected);
      }
    });
  });

  describe("with the wire engine alone", () => {
    test("a client that offers HTTP/2 too gets HTTP/1.1", async () => {
      const daemon = await start("wire");
      expect(await curl(daemon.port, "/v1/models")).toMatchObject({ version: "1.1", status: 200 });
      const socket = connectTls({ host: "localhost", port: daemon.port, ca: made.ca, ALPNProtocols: ["h2", "http/1.1"] });
      await new Promise((resolve) => socket.on("secureConnect", resolve));
      expect(socket.alpnProtocol).toBe("http/1.1");
      socket.destroy();
    });

    test.each<[string, "fin" | "rst", RegExp]>([
      ["close", "fin", /^$/],
      ["truncate_body", "fin", /^HTTP\/1\.1 200 OK\r\n/],
      ["half_close", "fin", /\r\n0\r\n\r\n$/],
      ["late_reset", "rst", /\r\n0\r\n\r\n$/],
      ["cut after=2 by=fin", "fin", /\n\n\r\n$/],
      ["garbage kind=bytes", "fin", /^(?!HTTP)/],
    ])("%s ends by %s", async (command, how, expected) => {
      const daemon = await start("wire");
      expect((await daemon.command(command)).status).toBe(200);
      const { ended, text } = connection(daemon.port, request("POST", "/v1/chat/completions", {}, STREAM));
      expect(await ended).toBe(how);
      expect(text()).toMatch(expected);
    });

    test.skipIf(!HAS_PROC)("a connection that is closed has gone, though its client keeps it open", async () => {
      const daemon = await start("wire");
      await curl(daemon.port, "/v1/models");
      const before = await settled(daemon.pid);
      const half = { host: "localhost", port: daemon.port, ca: made.ca, allowHalfOpen: true };
      const socket = connectTls(half, () => socket.write(request("GET", "/v1/models", { connection: "close" })));
      ends.push(() => socket.destroy());
      await new Promise((resolve) => socket.on("data", resolve));
      expect(open(daemon.pid)).toBeGreaterThan(before);
      await eventually(() => (open(daemon.pid) <= before ? true : undefined), "the end of the connection");
    });

    test("WebSockets go through", async () => {
      const target = Bun.serve({
        port: 0,
        fetch: (incoming, server) => (server.upgrade(incoming) ? undefined : new Response("no", { status: 400 })),
        websocket: { message: (socket, text) => void socket.send(`${text}!`) },
      });
      ends.push(() => target.stop(true));
      const daemon = await start("wire", ["--upstream", `openai=http://127.0.0.1:${target.port}`]);
      const client = new WebSocket(`wss://localhost:${daemon.port}/v1/realtime`, { tls: { ca: made.ca } } as never);
      const said = Promise.withResolvers<unknown>();
      client.onopen = () => client.send("hello");
      client.onmessage = ({ data }) => said.resolve(data);
      client.onerror = () => said.reject(new Error("no connection"));
      expect(await said.promise).toBe("hello!");
      client.close();
    });
  });

  describe("with the serve engine, in HTTP/2", () => {
    test.skipIf(!HAS_CURL_HTTP2)("curl is answered, and large bodies go up and down at full speed", async () => {
      const daemon = await start("serve", ["--upstream", await startHashing()]);
      const [large, got] = [join(made.folder, "large"), join(made.folder, "got")];
      writeFileSync(large, LARGE);
      const words = ["--http2", "--data-binary", `@${large}`, "-H", "expect:", "-o", got, "-D", "-"];
      const answer = await curl(daemon.port, "/v1/files", words);
      expect(answer).toMatchObject({ version: "2", status: 200, exit: 0 });
      expect(answer.body).toContain(`x-hash: ${Bun.hash(LARGE)}`);
      expect(Bun.hash(await Bun.file(got).arrayBuffer())).toBe(Bun.hash(LARGE));
    });

    test("streams run beside each other on one connection, and come as they are made", async () => {
      const daemon = await start("serve", ["--simulate", "--between", "10ms"]);
      const ask = await http2(daemon.port);
      const began = performance.now();
      const streams = Array.from({ length: 8 }, () => ask("/v1/chat/completions", STREAM));
      let pieces = 0;
      streams[0]?.stream.on("data", () => pieces++);
      for (const each of streams) {
        expect(await each.over).toBe(0);
        expect([each.status(), each.text().includes("[DONE]")]).toEqual([200, true]);
      }
      expect(pieces).toBeGreaterThan(10);
      expect(performance.now() - began).toBeLessThan(3_000);
    });

    test("a fault that cuts ends its stream with INTERNAL_ERROR and no other", async () => {
      const daemon = await start("serve", ["--simulate", "--between", "10ms"]);
      const ask = await http2(daemon.port);
      const beside = ask("/v1/chat/completions", STREAM);
      await eventually(() => (beside.text() === "" ? undefined : true), "the beginning");
      await daemon.command("reset");
      const reset = ask("/v1/chat/completions", STREAM);
      expect([await reset.over, reset.status(), reset.text()]).toEqual([2, undefined, ""]);
      await daemon.command("cut after=3 by=reset");
      const cut = ask("/v1/chat/completions", STREAM);
      expect([await cut.over, cut.status(), cut.text().match(/^data: /gm)?.length]).toEqual([2, 200, 3]);
      await daemon.command("r");
      const limited = ask("/v1/chat/completions", STREAM);
      expect([await limited.over, limited.status()]).toEqual([0, 429]);
      expect(await beside.over).toBe(0);
      expect(beside.text()).toContain("[DONE]");
    });

    test("a stream that its client cancels is told to the target", async () => {
      const target = await startRawUpstream(({ socket }) =>
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
      );
      ends.push(() => target.stop());
      const daemon = await start("serve", ["--upstream", `openai=${target.url}`]);
      const ask = await http2(daemon.port);
      const answer = ask("/v1/chat/completions", STREAM);
      await eventually(() => (answer.text() === "hi" ? true : undefined), "the beginning");
      answer.stream.close(8);
      await target.seen[0]?.closed;
      expect(await daemon.event((event) => event.type === "exchange")).toMatchObject({ done: "client_gone" });
    });

    test.skipIf(!HAS_CURL_HTTP2)("an answer that the target gives before it has all of the request arrives", async () => {
      const early = "HTTP/1.1 413 Content Too Large\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
      const target = await startRawUpstream(({ socket }) => socket.write(early));
      ends.push(() => target.stop());
      const daemon = await start("serve", ["--upstream", `openai=${target.url}`]);
      const large = join(made.folder, "large");
      writeFileSync(large, LARGE);
      for (let i = 0; i < 3; i++) {
        const answer = await curl(daemon.port, "/v1/files", ["--http2", "--data-binary", `@${large}`, "-H", "expect:"]);
        expect(answer).toEqual({ version: "2", status: 413, exit: 0, body: "{}" });
      }
    });

    test("what the proxy itself refuses is answered", async () => {
      const daemon = await start("serve", []);
      const ask = await http2(daemon.port);
      const answer = ask("/databricks/serving-endpoints", undefined);
      expect([await answer.over, answer.status()]).toEqual([0, 502]);
    });

    test.skipIf(!HAS_PROC)("it ends when told to, behind the streams that run", async () => {
      const daemon = await start("serve", ["--simulate", "--ttft", "500ms"]);
      const ask = await http2(daemon.port);
      const running = ask("/v1/chat/completions", STREAM);
      await Bun.sleep(200);
      process.kill(daemon.pid, "SIGTERM");
      expect(await running.over).toBe(0);
      expect(running.text()).toContain("[DONE]");
      await eventually(() => (existsSync(`/proc/${daemon.pid}`) ? undefined : true), "the end");
    });
  });

  describe("files that cannot be used are told at the start", () => {
    const cert = () => made.certFile("alice");
    const key = () => made.keyFile("alice");
    const file = (text: string) => {
      const path = join(made.folder, "file.pem");
      writeFileSync(path, text);
      return path;
    };
    test.each<[string, () => readonly string[], string]>([
      [
        "a certificate alone",
        () => ["--tls-cert", cert()],
        "--tls-cert needs --tls-key beside it (or FAULTPROXY_TLS_KEY, or tls_key in the file)",
      ],
      ["a key alone", () => ["--tls-key", key()], "--tls-key needs --tls-cert beside it (or FAULTPROXY_TLS_CERT, or tls_cert in the file)"],
      ["missing", () => ["--tls-cert", "/nowhere.pem", "--tls-key", key()], "tls_cert (--tls-cert): cannot read /nowhere.pem (ENOENT)"],
      ["a folder", () => ["--tls-cert", cert(), "--tls-key", "/"], "tls_key (--tls-key): cannot read / (EISDIR)"],
      ["no certificate", () => ["--tls-cert", file("hello"), "--tls-key", key()], "file.pem holds no certificate in PEM form"],
      ["no key", () => ["--tls-cert", cert(), "--tls-key", file("hello")], "file.pem holds no private key in PEM form"],
      ["changed about", () => ["--tls-cert", key(), "--tls-key", cert()], "alice.key holds no certificate in PEM form"],
      [
        "the key of another",
        () => ["--tls-cert", cert(), "--tls-key", made.keyFile("bob")],
        "bob.key is not the key of the first certificate in",
      ],
    ])("%s", async (_, args, sentence) => {
      for (const command of [["serve", "--no-stdin"], ["run"]]) {
        const rest = command[0] === "run" ? ["--", "true"] : [];
        const words = [BINARY, ...command, "--port", "0", "--simulate", ...args(), ...rest];
        const ended = Bun.spawn(words, { env: CLEAN_ENVIRONMENT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
        const [code, out, err] = await Promise.all([ended.exited, new Response(ended.stdout).text(), new Response(ended.stderr).text()]);
        expect([code, out]).toEqual([2, ""]);
        expect(err).toContain(sentence);
        expect(err.trim().split("\n")).toHaveLength(1);
        expect(err).not.toContain("BEGIN");
      }
    });
  });
});
