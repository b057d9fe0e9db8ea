import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { connect as connectTcp, createServer as createTcp, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTls, type TLSSocket, type TlsOptions } from "node:tls";
import { type CertificateName, type Certificates, makeCertificates } from "./support/certificates.ts";
import { type DaemonOptions, ENGINES, eventually, startTestDaemon } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { answering, freePort, listening, reachable } from "./support/servers.ts";

describe.skipIf(Bun.which("openssl") === null)("TLS to targets", () => {
  let made: Certificates;
  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());

  /** A TLS server with its own bytes; `connections` are in the order of their handshakes. */
  async function startTls(name: CertificateName, take: (socket: TLSSocket) => unknown = answering, more: TlsOptions = {}) {
    const connections: TLSSocket[] = [];
    const server = createTls({ ...made.pair(name), ...more }, (socket) => {
      socket.on("error", () => {});
      connections.push(socket);
      take(socket);
    });
    server.on("tlsClientError", () => {});
    return { ...(await listening(server)), connections };
  }

  /** One request to a target at `url`, and what the client got. */
  async function once(url: string, { environment = {}, method = "POST", ...options }: DaemonOptions & { readonly method?: string }) {
    const trusted = { NODE_EXTRA_CA_CERTS: made.certFile("ca"), ...environment };
    const daemon = await startTestDaemon({
      ...options,
      args: ["--upstream", `openai=${url}`, ...(options.args ?? [])],
      environment: trusted,
    });
    try {
      const got = await raw(daemon.port, request(method, "/v1/chat/completions", {}, method === "POST" ? "{}" : ""), { until: complete });
      const reason = got.headers.find(([field]) => field.toLowerCase() === "x-faultproxy-error")?.[1];
      return { status: got.status, reason, text: got.text };
    } finally {
      await daemon.stop();
    }
  }

  describe.each(ENGINES)("with the %s engine", (engine) => {
    test.each<[CertificateName, string, string]>([
      ["self-signed", "localhost", "DEPTH_ZERO_SELF_SIGNED_CERT"],
      ["expired", "localhost", "CERT_HAS_EXPIRED"],
      ["other-name", "localhost", "ERR_TLS_CERT_ALTNAME_INVALID"],
      ["name-only", "127.0.0.1", "ERR_TLS_CERT_ALTNAME_INVALID"],
      ["other-ca", "localhost", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
      ["other-ca", "127.0.0.1", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ])("a certificate that is %s, at %s, gets a 502 with %s and no request", async (name, host, code) => {
      let bytes = 0;
      const target = await startTls(name, (socket) =>
        socket.on("data", (data) => {
          bytes += data.length;
        }),
      );
      const got = await once(`https://${host}:${target.port}`, { engine });
      target.stop();
      expect(got).toMatchObject({ status: 502, reason: "upstream_tls", text: expect.stringContaining(code) });
      expect(bytes).toBe(0);
    });

    test.each(["localhost", "127.0.0.1"])("a certificate that is vouched for and names %s is taken", async (host) => {
      const target = await startTls("good");
      const got = await once(`https://${host}:${target.port}`, { engine });
      target.stop();
      expect(got.status).toBe(200);
    });

    test("authorities come from SSL_CERT_FILE too, and NODE_TLS_REJECT_UNAUTHORIZED=0 asks for none", async () => {
      const target = await startTls("good");
      const strange = await startTls("expired");
      const environment = { NODE_EXTRA_CA_CERTS: "", SSL_CERT_FILE: made.certFile("ca") };
      expect((await once(`https://localhost:${target.port}`, { engine, environment })).status).toBe(200);
      const all = { NODE_EXTRA_CA_CERTS: "", NODE_TLS_REJECT_UNAUTHORIZED: "0" };
      expect((await once(`https://localhost:${strange.port}`, { engine, environment: all })).status).toBe(200);
      expect((await once(`https://127.0.0.1:${strange.port}`, { engine, environment: all })).status).toBe(200);
      target.stop();
      strange.stop();
    });

    test("8 MiB go up and down unharmed", async () => {
      const large = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef~");
      const hash = Bun.hash(large);
      const server = createHttps(made.pair("good"), async (incoming, outgoing) => {
        const parts: Buffer[] = [];
        for await (const part of incoming) parts.push(part as Buffer);
        const body = Buffer.concat(parts);
        outgoing.writeHead(200, { "x-hash": String(Bun.hash(body)), "content-type": "application/octet-stream" });
        outgoing.end(body);
      });
      const target = await listening(server);
      const daemon = await startTestDaemon({
        engine,
        args: ["--upstream", `openai=https://localhost:${target.port}`],
        environment: { NODE_EXTRA_CA_CERTS: made.certFile("ca") },
      });
      for (const body of [large, new Blob([large]).stream()]) {
        const answer = await fetch(`${daemon.origin}/v1/files`, { method: "POST", body });
        expect(answer.headers.get("x-hash")).toBe(String(hash));
        expect(Bun.hash(await answer.arrayBuffer())).toBe(hash);
      }
      await daemon.stop();
      target.stop();
    });

    test("identities never share a connection", async () => {
      const seen = new Map<string, Set<string>>();
      const client = (socket: TLSSocket) => String(socket.getPeerCertificate()?.subject?.CN ?? "nobody");
      const target = await startTls(
        "good",
        (socket) => {
          const name = client(socket);
          answering(socket, (head) => {
            const wanted = /\r\nx-wanted: (\w+)/i.exec(head)?.[1] ?? "";
            seen.set(wanted, (seen.get(wanted) ?? new Set()).add(name));
          });
        },
        { requestCert: true, rejectUnauthorized: false, ca: made.ca },
      );
      const url = `https://localhost:${target.port}`;
      const certificate = (name: CertificateName) => `cert_file = "${made.certFile(name)}"\nkey_file = "${made.keyFile(name)}"\n`;
      const daemon = await startTestDaemon({
        engine,
        toml: `[providers.openai]\nupstream = "${url}"\n${certificate("alice")}[providers.anthropic]\nupstream = "${url}"\n${certificate("bob")}[providers.google]\nupstream = "${url}"\n`,
        environment: { NODE_EXTRA_CA_CERTS: made.certFile("ca") },
      });
      const wanted = [
        ["openai", "alice"],
        ["anthropic", "bob"],
        ["google", "nobody"],
      ] as const;
      for (let turn = 0; turn < 100; turn++) {
        const answers = [...wanted, ...wanted].map(async ([prefix, name]) => {
          const answer = await fetch(`${daemon.origin}/${prefix}/v1/models`, { headers: { "x-wanted": name } });
          await answer.arrayBuffer();
          return answer.status;
        });
        expect(await Promise.all(answers)).toEqual([200, 200, 200, 200, 200, 200]);
      }
      const status = await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).text();
      const told = status + JSON.stringify(await daemon.events()) + daemon.log();
      await daemon.stop();
      target.stop();
      expect(Object.fromEntries([...seen].map(([name, who]) => [name, [...who]]))).toEqual({
        alice: ["alice"],
        bob: ["bob"],
        nobody: ["nobody"],
      });
      // They are kept and used again.
      expect(target.connections.length).toBeLessThan(100);
      expect(status).toContain(url);
      for (const secret of ["PRIVATE", "BEGIN", "alice", made.folder]) expect(told).not.toContain(secret);
    });

    test("a name and an authority of its own", async () => {
      const target = await startTls("other-name");
      const file = join(made.folder, "name.toml");
      const write = (more: string) =>
        writeFileSync(
          file,
          `[providers.openai]\nupstream = "https://127.0.0.1:${target.port}"\nca_file = "${made.certFile("ca")}"\n${more}`,
        );
      const options = { engine, args: ["--config", file], environment: { NODE_EXTRA_CA_CERTS: "" } };
      const run = async () => {
        const daemon = await startTestDaemon(options);
        const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"), { until: complete });
        await daemon.stop();
        return got;
      };
      write("");
      expect((await run()).text).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
      write('server_name = "other.test"\n');
      expect((await run()).status).toBe(200);
      target.stop();
      expect(target.connections.at(-1)?.servername).toBe("other.test");
    });
  });

  describe("with the wire engine", () => {
    const engine = "wire";

    test("the name of the host is sent, and none where it is an address", async () => {
      const target = await startTls("good");
      await once(`https://localhost:${target.port}`, { engine });
      await once(`https://localhost.:${target.port}`, { engine });
      await once(`https://127.0.0.1:${target.port}`, { engine });
      target.stop();
      expect(target.connections.map(({ servername }) => servername)).toEqual(["localhost", "localhost", false] as never);
    });

    test("an IPv6 address stands in the certificate too", async () => {
      const good = await startTls("good", answering, {}).then(async ({ stop }) => {
        stop();
        const server = createTls(made.pair("good"), (socket) => answering(socket));
        return listening(server, "::1");
      });
      const named = await listening(
        createTls(made.pair("name-only"), (socket) => answering(socket)),
        "::1",
      );
      expect((await once(`https://[::1]:${good.port}`, { engine })).status).toBe(200);
      expect((await once(`https://[::1]:${named.port}`, { engine })).text).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
      good.stop();
      named.stop();
    });

    test.each([
      ["TLS 1.3", "-tls1_3", "TLSV1_ALERT_CERTIFICATE_REQUIRED: it asks for a client certificate"],
      ["TLS 1.2", "-tls1_2", "SSLV3_ALERT_HANDSHAKE_FAILURE: it refused the handshake"],
    ])("a server that asks for a client certificate by an alert of %s", async (_, version, sentence) => {
      const port = await freePort();
      const words = ["s_server", "-quiet", "-accept", String(port), "-cert", made.certFile("good"), "-key", made.keyFile("good")];
      const server = Bun.spawn(
        ["openssl", ...words, "-CAfile", made.certFile("ca"), "-Verify", "1", "-verify_return_error", version, "-www"],
        {
          stdin: "ignore",
          stdout: "ignore",
          stderr: "ignore",
        },
      );
      await reachable(port);
      const got = await once(`https://localhost:${port}`, { engine });
      expect(got).toMatchObject({ status: 502, reason: "upstream_tls", text: expect.stringContaining(sentence) });
      const file = join(made.folder, "mallory.toml");
      writeFileSync(file, `[providers.openai]\ncert_file = "${made.certFile("mallory")}"\nkey_file = "${made.keyFile("mallory")}"\n`);
      const mallory = await once(`https://localhost:${port}`, { engine, args: ["--config", file] });
      expect(mallory).toMatchObject({
        reason: "upstream_tls",
        text: expect.stringMatching(/ALERT_\w+: it does not take the client certificate/),
      });
      writeFileSync(file, `[providers.openai]\ncert_file = "${made.certFile("alice")}"\nkey_file = "${made.keyFile("alice")}"\n`);
      expect((await once(`https://localhost:${port}`, { engine, args: ["--config", file], method: "GET" })).text).toContain("s_server");
      server.kill();
    });

    test.each<[string, (socket: Socket) => unknown, string]>([
      ["greets in plain text", (socket) => socket.write("SSH-2.0-OpenSSH_9.9\r\n"), "WRONG_VERSION_NUMBER: it does not answer in TLS"],
      [
        "answers in plain HTTP",
        (socket) => socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
        "WRONG_VERSION_NUMBER: it does not answer in TLS",
      ],
      ["closes in the handshake", (socket) => socket.on("data", () => socket.end()), "closed the connection during the TLS handshake"],
      [
        "resets in the handshake",
        (socket) => socket.on("data", () => socket.resetAndDestroy()),
        "closed the connection during the TLS handshake",
      ],
    ])("a peer that %s", async (_, take, sentence) => {
      const server = createTcp((socket) => {
        socket.on("error", () => {});
        take(socket);
      });
      const target = await listening(server);
      const got = await once(`https://localhost:${target.port}`, { engine });
      target.stop();
      expect(got).toMatchObject({ status: 502, reason: "upstream_tls", text: expect.stringContaining(sentence) });
    });

    test.each<[string, string, "fin" | "rst", "fin" | "rst"]>([
      ["a length that is not reached, FIN", "content-length: 50\r\n\r\nhello", "fin", "fin"],
      ["a length that is not reached, RST", "content-length: 50\r\n\r\nhello", "rst", "rst"],
      ["chunks without their end, FIN", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "fin", "fin"],
      ["a body until the close, RST", "\r\nhello", "rst", "rst"],
      // Bun does not tell whether TLS was closed properly before the FIN (docs/engines.md).
      ["a body until the close, FIN without close_notify", "\r\nhello", "fin", "fin"],
    ])("what was cut stays cut: %s", async (_, begun, expected, how) => {
      const target = await startTls("good", (socket) => socket.on("data", () => socket.write(`HTTP/1.1 200 OK\r\n${begun}`)));
      const relay = await startRelay(target.port);
      const daemon = await startTestDaemon({
        engine,
        args: ["--upstream", `openai=https://localhost:${relay.port}`],
        environment: { NODE_EXTRA_CA_CERTS: made.certFile("ca") },
      });
      const { socket, ended, text } = rawConnection(daemon.port, request("GET", "/v1/models", { connection: "close" }));
      await eventually(() => (text().includes("hello") ? true : undefined), "the beginning");
      relay.cut(how);
      expect(await ended.promise).toBe(expected);
      expect(text().endsWith("hello") || text().endsWith("hello\r\n")).toBe(true);
      socket.destroy();
      await daemon.stop();
      relay.stop();
      target.stop();
    });

    test.skipIf(Bun.which("nginx") === null)("nginx that asks for a client certificate", async () => {
      const port = await freePort();
      const folder = made.folder;
      const file = join(folder, "nginx.conf");
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((name) => `${name}_temp_path ${folder}/${name};`)
        .join(" ");
      writeFileSync(
        file,
        `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events {}
http { access_log off; ${temporary} server { listen 127.0.0.1:${port} ssl; ssl_certificate ${made.certFile("good")}; ssl_certificate_key ${made.keyFile("good")};
  ssl_client_certificate ${made.certFile("ca")}; ssl_verify_client on; location / { return 200 "$ssl_client_s_dn"; } } }\n`,
      );
      chmodSync(folder, 0o755);
      const server = Bun.spawn(["nginx", "-p", folder, "-c", file], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      await reachable(port);
      const config = join(folder, "alice.toml");
      writeFileSync(config, `[providers.openai]\ncert_file = "${made.certFile("alice")}"\nkey_file = "${made.keyFile("alice")}"\n`);
      expect((await once(`https://localhost:${port}`, { engine })).status).toBe(400);
      expect((await once(`https://localhost:${port}`, { engine, args: ["--config", config] })).text).toContain("CN=alice");
      server.kill();
      await server.exited;
    });
  });

  describe.each(ENGINES)("files that cannot be used are told at the start and in a 502, with the %s engine", (engine) => {
    const damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    test.each<[string, (file: string) => string, string, string]>([
      [
        "missing",
        () => 'ca_file = "/nowhere/ca.pem"',
        "",
        "providers.openai.auth.ca_file: cannot read /nowhere/ca.pem (ENOENT); put it there, or name another file",
      ],
      ["a folder", () => 'ca_file = "/"', "", "providers.openai.auth.ca_file: cannot read / (EISDIR)"],
      ["no PEM", (file) => `ca_file = "${file}"`, "hello", "holds no certificate in PEM form"],
      ["damaged", (file) => `ca_file = "${file}"`, damaged, "is damaged"],
      ["no key", (file) => `cert_file = "${made.certFile("alice")}"\nkey_file = "${file}"`, "hello", "holds no private key in PEM form"],
      [
        "the key of another",
        () => `cert_file = "${made.certFile("alice")}"\nkey_file = "${made.keyFile("bob")}"`,
        "",
        "bob.key is not the key of the first certificate in",
      ],
    ])("%s", async (_, lines, content, sentence) => {
      const target = await startTls("good");
      const file = join(made.folder, "file.pem");
      writeFileSync(file, content);
      const daemon = await startTestDaemon({
        engine,
        toml: `[providers.openai]\nupstream = "https://localhost:${target.port}"\n${lines(file)}\n`,
      });
      const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"), { until: complete });
      const other = await raw(daemon.port, request("GET", "/openai/v1/models"), { until: complete });
      await daemon.stop();
      target.stop();
      for (const { status, text } of [got, other]) {
        expect([status, text]).toEqual([502, expect.stringContaining("x-faultproxy-error: client_certificate")]);
        expect(text).toContain(sentence);
      }
      expect(daemon.warnings().join("\n")).toContain(sentence);
      expect(daemon.log() + got.text).not.toContain("BEGIN");
      expect(target.connections).toEqual([]);
    });
  });
});

/** Passes bytes on until it is told to cut. */
async function startRelay(port: number) {
  const clients: Socket[] = [];
  const server = createTcp((client) => {
    clients.push(client);
    const target = connectTcp(port, "127.0.0.1");
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on("data", (data) => other.write(data));
      one.on("error", () => {});
    }
    client.on("close", () => target.destroy());
  });
  const cut = (how: "fin" | "rst") => {
    for (const client of clients) {
      if (how === "fin") client.end();
      else client.resetAndDestroy();
    }
  };
  return { ...(await listening(server)), cut };
}
