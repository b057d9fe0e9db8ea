import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls, type TLSSocket } from "node:tls";
import { type CertificateServer, startNginx, startOpenssl, type TlsVersion } from "./support/certificate-servers.ts";
import { type CertificateName, type Certificates, makeCertificates } from "./support/certificates.ts";
import { type DaemonOptions, ENGINES, type EngineName, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { startRawTarget } from "./support/raw-target.ts";
import { answering, listening } from "./support/servers.ts";

const HAS_NGINX = Bun.which("nginx") !== null;
const CAN_BE_NOBODY = process.getuid?.() === 0 && Bun.which("setpriv") !== null;
const NOBODY = 65_534;

describe.skipIf(Bun.which("openssl") === null)("client certificates", () => {
  let made: Certificates;
  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());

  const pair = (name: CertificateName) => `cert_file = "${made.certFile(name)}"\nkey_file = "${made.keyFile(name)}"\n`;
  const backend = (url: string, auth: string, more = "") =>
    `[backend]\nendpoint = "${url}/base/v1"\n${more}[backend.auth]\nca_file = "${made.certFile("ca")}"\n${auth}`;

  /** A server that knows no demands, to count who comes. */
  async function startCounter() {
    const clients: string[] = [];
    const server = createTls({ ...made.pair("good"), requestCert: true, rejectUnauthorized: false, ca: made.ca }, (socket: TLSSocket) => {
      clients.push(String(socket.getPeerCertificate()?.subject?.CN ?? "nobody"));
      answering(socket);
    });
    server.on("tlsClientError", () => {});
    const { port, stop } = await listening(server);
    return { url: `https://localhost:${port}`, clients, stop };
  }

  describe.skipIf(!HAS_NGINX).each<[EngineName, TlsVersion]>(combinations())(
    "nginx, asked by the %s engine in TLS %s",
    (engine, version) => {
      let nginx: CertificateServer;
      beforeAll(async () => {
        nginx = await startNginx({ made, version });
      });
      afterAll(() => nginx.stop());

      test("lets in whom it knows, over one connection", async () => {
        await using daemon = await running({ engine, toml: backend(nginx.url, pair("alice")) });
        const answers = [];
        for (let turn = 0; turn < 3; turn++) answers.push(JSON.parse((await ask(daemon)).text));
        expect(answers[0]).toMatchObject({ client: "CN=alice", serial: made.serial("alice"), path: "/base/v1/chat/completions" });
        expect(answers).toEqual([answers[0], answers[0], answers[0]]);
        expect(daemon.log()).not.toContain("warning");
      });

      test.each<[string, () => string, string]>([
        ["no certificate", () => "", "No required SSL certificate was sent"],
        ["one of an authority that it does not trust", () => pair("mallory"), "The SSL certificate error"],
      ])("%s: its page goes to who speaks as the target does, and is a 502 to who is translated for", async (_, auth, title) => {
        await using same = await running({ engine, toml: backend(nginx.url, auth()) });
        expect(await ask(same)).toMatchObject({ status: 400, reason: null, text: expect.stringContaining(`<title>400 ${title}</title>`) });

        await using other = await running({ engine, toml: backend(nginx.url, auth(), 'dialect = "chat"\n') });
        const got = await ask(other, "/v1/messages", '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}');
        expect(got).toMatchObject({ status: 502, reason: "client_certificate" });
        expect(got.text).toContain("the backend wants a client certificate, or another one: it answered 400");
        expect(got.text).toContain("see auth.cert_file and auth.key_file in its settings");
        expect(got.text).not.toContain("<");
      });
    },
  );

  describe.each<[EngineName, TlsVersion]>(combinations())(
    "openssl s_server -Verify, asked by the %s engine in TLS %s",
    (engine, version) => {
      let server: CertificateServer;
      beforeAll(async () => {
        server = await startOpenssl({ made, version });
      });
      afterAll(() => server.stop());

      test("lets in whom it knows", async () => {
        await using daemon = await running({ engine, toml: backend(server.url, pair("alice")) });
        const got = await fetch(`${daemon.origin}/v1/models`);
        expect([got.status, await got.text()]).toEqual([200, expect.stringMatching(/Subject: CN ?= ?alice/)]);
      });

      const asks = {
        wire: { "1.2": "SSLV3_ALERT_HANDSHAKE_FAILURE: it refused the handshake", "1.3": "TLSV1_ALERT_CERTIFICATE_REQUIRED: it asks for" }[
          version
        ],
        serve: "(EPROTO); it may ask for a client certificate",
      }[engine];
      test("refuses the handshake without a certificate: a 502 that says where to name one", async () => {
        await using daemon = await running({ engine, toml: backend(server.url, "") });
        const got = await ask(daemon);
        expect(got).toMatchObject({ status: 502, reason: "upstream_tls", json: openaiError("upstream_tls") });
        expect(got.text).toContain(asks);
        expect(got.text).toContain("auth.cert_file and auth.key_file in the target's table name one");
      });

      test("refuses a certificate of another authority: a 502 that names its file", async () => {
        await using daemon = await running({ engine, toml: backend(server.url, pair("mallory")) });
        const got = await ask(daemon);
        expect(got).toMatchObject({ status: 502, reason: "upstream_tls", json: openaiError("upstream_tls") });
        expect(got.text).toContain(`take the client certificate ${made.certFile("mallory")}`);
      });
    },
  );

  describe.each(ENGINES)("files that cannot be used, with the %s engine", (engine) => {
    /** Where a certificate and its key belong, and what is there. */
    type Files = { readonly cert: string; readonly key: string };
    const copied = ({ cert, key }: Files, certOf: CertificateName, keyOf: CertificateName = certOf) => {
      copyFileSync(made.certFile(certOf), cert);
      copyFileSync(made.keyFile(keyOf), key);
      chmodSync(key, 0o600);
    };
    const over = (of: "cert" | "key", text: string) => (files: Files) => {
      copied(files, "alice");
      writeFileSync(files[of], text);
    };
    const DAMAGED = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    test.each<[string, (files: Files) => void, RegExp]>([
      ["missing", () => {}, /backend\.auth\.cert_file: cannot read \S+cert\.pem \(ENOENT\); put it there \(.*\), or name another file/],
      [
        "a missing key",
        ({ cert }) => copyFileSync(made.certFile("alice"), cert),
        /auth\.key_file: cannot read \S+key\.pem \(ENOENT\); put it there \(.*\), or name another file/,
      ],
      [
        "a folder",
        ({ cert }) => mkdirSync(cert),
        /auth\.cert_file: cannot read \S+cert\.pem \(EISDIR\); it is a folder, name a file in it/,
      ],
      [
        "empty",
        over("cert", ""),
        /auth\.cert_file: \S+cert\.pem holds no certificate in PEM form; openssl x509 -inform der makes it of DER/,
      ],
      ["damaged", over("cert", DAMAGED), /auth\.cert_file: a certificate in \S+cert\.pem is damaged; put a whole one there/],
      [
        "no key",
        over("key", "hello"),
        /auth\.key_file: \S+key\.pem holds no private key in PEM form; openssl pkey -inform der makes it of DER/,
      ],
      [
        "the key of another",
        (files) => copied(files, "alice", "bob"),
        /auth\.key_file: \S+key\.pem is not the key of the first certificate in \S+cert\.pem; name two that belong together/,
      ],
      [
        "an encrypted key",
        ({ cert, key }) => {
          copyFileSync(made.certFile("alice"), cert);
          copyFileSync(made.encryptedKeyFile("alice"), key);
        },
        /auth\.key_file: the key in \S+key\.pem is encrypted, and a passphrase cannot be given; openssl pkey writes it without one/,
      ],
      [
        "expired",
        (files) => copied(files, "expired"),
        /the client certificate \S+cert\.pem \(backend\.auth\.cert_file\) expired at \S+Z; renew it, and it is used without a restart/,
      ],
      [
        "not yet valid",
        (files) => copied(files, "later"),
        /the client certificate \S+cert\.pem \(backend\.auth\.cert_file\) is valid from \S+Z only; is the clock of this machine right\?/,
      ],
    ])("%s: told at the start and in a 502, nobody is asked, and all is well when it is mended", async (_, put, sentence) => {
      using folder = temporaryFolder();
      const files = { cert: join(folder.path, "cert.pem"), key: join(folder.path, "key.pem") };
      put(files);
      const target = await startCounter();
      await using daemon = await running({
        engine,
        toml: backend(target.url, `cert_file = "${files.cert}"\nkey_file = "${files.key}"\n`),
      });
      const warning = await eventually(() => /warning: (.*)/.exec(daemon.log())?.[1], "a warning");
      expect(warning).toMatch(new RegExp(`${sentence.source}\\. Until that is mended, requests that need it get a 502$`));
      for (let turn = 0; turn < 2; turn++) {
        const got = await ask(daemon);
        expect(got).toMatchObject({ status: 502, reason: "client_certificate", json: openaiError("client_certificate") });
        expect(got.text).toMatch(sentence);
        expect(got.text).not.toContain("BEGIN");
      }
      expect(await daemon.event(({ type }) => type === "exchange")).toMatchObject({ status: 502, error: "client_certificate" });
      expect(target.clients).toEqual([]);

      rmSync(files.cert, { recursive: true, force: true });
      copied(files, "alice");
      expect((await ask(daemon)).status).toBe(200);
      expect(target.clients).toEqual(["alice"]);
      target.stop();
    });

    test.skipIf(!CAN_BE_NOBODY)("a key that its user may not read", async () => {
      using folder = temporaryFolder();
      chmodSync(folder.path, 0o755);
      const files = { cert: join(folder.path, "cert.pem"), key: join(folder.path, "key.pem") };
      copied(files, "alice");
      chmodSync(files.key, 0o000);
      const target = await startCounter();
      // Who is nobody reads the authority's file, too.
      copyFileSync(made.certFile("ca"), join(folder.path, "ca.pem"));
      const toml = `[backend]\nendpoint = "${target.url}"\n[backend.auth]\nca_file = "${folder.path}/ca.pem"\ncert_file = "${files.cert}"\nkey_file = "${files.key}"\n`;
      await using daemon = await running({ engine, toml, user: NOBODY });
      const got = await ask(daemon);
      expect(got).toMatchObject({ status: 502, reason: "client_certificate", json: openaiError("client_certificate") });
      expect(got.text).toContain(`backend.auth.key_file: cannot read ${files.key} (EACCES); let the user that faultproxy runs as read it`);
      chownSync(files.key, NOBODY, NOBODY);
      chmodSync(files.key, 0o400);
      expect((await ask(daemon)).status).toBe(200);
      target.stop();
    });

    test("what becomes unusable while it runs is told once, when somebody asks", async () => {
      using folder = temporaryFolder();
      const files = { cert: join(folder.path, "cert.pem"), key: join(folder.path, "key.pem") };
      copied(files, "alice");
      const target = await startCounter();
      await using daemon = await running({
        engine,
        toml: backend(target.url, `cert_file = "${files.cert}"\nkey_file = "${files.key}"\n`),
      });
      expect((await ask(daemon)).status).toBe(200);
      expect(daemon.log()).not.toContain("warning");
      copied(files, "expired");
      for (let turn = 0; turn < 3; turn++) expect((await ask(daemon)).reason).toBe("client_certificate");
      rmSync(files.key);
      expect((await ask(daemon)).reason).toBe("client_certificate");
      copied(files, "bob");
      expect((await ask(daemon)).status).toBe(200);
      const warnings = () => daemon.log().match(/warning: .*/g) ?? [];
      await eventually(() => (warnings().length === 2 ? true : undefined), "two warnings");
      expect(warnings()[0]).toContain("expired at");
      expect(warnings()[1]).toContain("key.pem (ENOENT)");
      target.stop();
    });
  });

  describe.each(ENGINES)("the mode of the key's file, with the %s engine", (engine) => {
    const keyReadByAll = (path: string) =>
      `warning: backend: other users can read the private key ${path}; take that away with: chmod 600 ${path}`;

    test.each([
      ["600", false],
      ["640", false],
      ["644", true],
      ["604", true],
    ])("%s: is it warned about? %p", async (mode, isTold) => {
      using folder = temporaryFolder();
      const key = join(folder.path, "key.pem");
      copyFileSync(made.keyFile("alice"), key);
      chmodSync(key, Number.parseInt(mode, 8));
      const target = await startCounter();
      await using daemon = await running({
        engine,
        toml: backend(target.url, `cert_file = "${made.certFile("alice")}"\nkey_file = "${key}"\n`),
      });
      expect((await ask(daemon)).status).toBe(200);
      await daemon.event(({ type }) => type === "exchange");
      expect(daemon.log().split(keyReadByAll(key)).length - 1).toBe(isTold ? 1 : 0);
      // It is read again, and looked at again.
      chmodSync(key, 0o644);
      expect((await ask(daemon)).status).toBe(200);
      await eventually(() => (daemon.log().split(keyReadByAll(key)).length === (isTold ? 3 : 2) ? true : undefined), "the warning");
      target.stop();
    });
  });

  describe.skipIf(!HAS_NGINX).each(ENGINES)("a renewal while it runs, with the %s engine", (engine) => {
    const put = (path: string, from: string) => {
      copyFileSync(from, path);
      chmodSync(path, 0o600);
    };

    test.each<[string, (folder: string) => { readonly cert: string; readonly key: string; readonly renew: () => void }]>([
      [
        "in place",
        (folder) => {
          const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
          put(cert, made.certFile("alice"));
          put(key, made.keyFile("alice"));
          const renew = () => {
            put(cert, made.certFile("alice-renewed"));
            put(key, made.keyFile("alice-renewed"));
          };
          return { cert, key, renew };
        },
      ],
      [
        "by rename",
        (folder) => {
          const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
          for (const name of ["alice", "alice-renewed"] as const) {
            put(join(folder, `${name}.crt`), made.certFile(name));
            put(join(folder, `${name}.key`), made.keyFile(name));
          }
          const use = (name: string) => {
            renameSync(join(folder, `${name}.crt`), cert);
            renameSync(join(folder, `${name}.key`), key);
          };
          use("alice");
          return { cert, key, renew: () => use("alice-renewed") };
        },
      ],
      [
        "by a link to another folder",
        (folder) => {
          for (const name of ["alice", "alice-renewed"] as const) {
            mkdirSync(join(folder, name));
            put(join(folder, name, "cert.pem"), made.certFile(name));
            put(join(folder, name, "key.pem"), made.keyFile(name));
          }
          const current = join(folder, "current");
          symlinkSync("alice", current);
          const renew = () => {
            symlinkSync("alice-renewed", `${current}.new`);
            renameSync(`${current}.new`, current);
          };
          return { cert: join(current, "cert.pem"), key: join(current, "key.pem"), renew };
        },
      ],
    ])("%s: the next request comes with the new one on a new connection, and a stream that runs goes on", async (_, prepare) => {
      using folder = temporaryFolder();
      const { cert, key, renew } = prepare(folder.path);
      const target = await startRawTarget(({ connection, startLine, headers }) => {
        const field = (name: string) => headers.find(([given]) => given.toLowerCase() === name)?.[1] ?? "";
        const body = JSON.stringify([field("x-client"), field("x-serial"), field("x-connection")]);
        if (startLine.includes("/stream"))
          connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\none\n\n\r\n");
        else connection.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      });
      const nginx = await startNginx({ made, version: "1.3", to: target.port });
      await using daemon = await running({ engine, toml: backend(nginx.url, `cert_file = "${cert}"\nkey_file = "${key}"\n`) });
      const who = async (): Promise<readonly string[]> => JSON.parse((await ask(daemon)).text);

      const before = await who();
      const stream = rawConnection(daemon.port, request("POST", "/v1/stream", {}, "{}"));
      await eventually(() => (stream.text().includes("one") ? true : undefined), "the beginning of the stream");
      const held = target.arrivals.find(({ startLine }) => startLine.includes("/stream"))?.connection;
      const beside = await who();
      renew();
      const after = [await who(), await who()];
      held?.write("5\r\ntwo\n\n\r\n");
      await eventually(() => (stream.text().includes("two") ? true : undefined), "the stream after the renewal");
      held?.write("0\r\n\r\n");
      await eventually(() => (stream.text().endsWith("0\r\n\r\n") ? true : undefined), "the end of the stream");
      const last = await who();

      const serials = [before, beside, ...after, last].map(([client, serial]) => [client, serial]);
      const [old, renewed] = [
        ["CN=alice", made.serial("alice")],
        ["CN=alice", made.serial("alice-renewed")],
      ];
      expect(serials).toEqual([old, old, renewed, renewed, renewed] as typeof serials);
      const connections = (answers: readonly (readonly string[])[]) => [...new Set(answers.map(([, , connection]) => connection))];
      const mixed = connections([before, beside]).filter((connection) => connections([...after, last]).includes(connection));
      expect(mixed).toEqual([]);
      expect(connections([...after, last]).length).toBe(1);
      stream.socket.destroy();
      await nginx.stop();
      target.stop();
    });
  });

  describe.skipIf(!HAS_NGINX).each(ENGINES)("several identities, with the %s engine", (engine) => {
    test("each table has its own, however it is written, and none shares a connection with another", async () => {
      const nginx = await startNginx({ made, version: "1.3" });
      const ca = `ca_file = "${made.certFile("ca")}"\n`;
      const toml = `[backend]\nendpoint = "${nginx.url}/v1"\n${ca}${pair("alice")}
[providers.anthropic]\nupstream = "${nginx.url}"\n[providers.anthropic.auth]\n${ca}${pair("bob")}
[providers.google]\nupstream = "${nginx.url}"\n${ca}${pair("good")}`;
      await using daemon = await running({ engine, toml });
      const wanted = { openai: "alice", openrouter: "alice", anthropic: "bob", google: "good" };
      const seen = new Map<string, Set<number>>();
      for (let turn = 0; turn < 20; turn++) {
        await Promise.all(
          Object.entries(wanted).map(async ([prefix, name]) => {
            const answer = await (await fetch(`${daemon.origin}/${prefix}/v1/models`)).json();
            expect(answer).toMatchObject({ client: `CN=${name}` });
            seen.set(name, (seen.get(name) ?? new Set()).add((answer as { connection: number }).connection));
          }),
        );
      }
      await nginx.stop();
      const all = [...seen.values()].flatMap((connections) => [...connections]);
      expect(new Set(all).size).toBe(all.length);
      expect([...seen.keys()].sort()).toEqual(["alice", "bob", "good"]);
    });

    test("a server that is named otherwise than its host", async () => {
      const names: unknown[] = [];
      const server = createTls({ ...made.pair("other-name"), requestCert: true, ca: made.ca }, (socket) => {
        names.push(socket.servername);
        answering(socket);
      });
      const target = await listening(server);
      const toml = (more: string) => backend(`https://127.0.0.1:${target.port}`, `${pair("alice")}${more}`);
      await using strange = await running({ engine, toml: toml("") });
      const refused = await ask(strange);
      expect([refused.status, refused.reason]).toEqual([502, "upstream_tls"]);
      expect(refused.text).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
      if (engine === "wire") expect(refused.text).toContain("auth.server_name in the target's table names the one that is expected");
      await using known = await running({ engine, toml: toml('server_name = "other.test"\n') });
      expect((await ask(known)).status).toBe(200);
      expect(names.at(-1)).toBe("other.test");
      target.stop();
    });
  });
});

function combinations(): [EngineName, TlsVersion][] {
  return ENGINES.flatMap((engine) => (["1.2", "1.3"] as const).map((version): [EngineName, TlsVersion] => [engine, version]));
}

async function running(options: DaemonOptions): Promise<TestDaemon & AsyncDisposable> {
  const daemon = await startTestDaemon(options);
  return { ...daemon, [Symbol.asyncDispose]: daemon.stop };
}

async function ask({ origin }: TestDaemon, path = "/v1/chat/completions", body = '{"model":"m","messages":[]}') {
  const answer = await fetch(`${origin}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type") === "application/json";
  return {
    status: answer.status,
    reason: answer.headers.get("x-faultproxy-error"),
    text,
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}

function openaiError(code: string): unknown {
  return { error: { message: expect.stringMatching(/^faultproxy: /), type: "server_error", param: null, code } };
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
