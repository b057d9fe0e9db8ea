import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ask } from "./support/ask.ts";
import { type CertificateServer, startCounter, startNginx, startOpenssl, type TlsVersion } from "./support/certificate-servers.ts";
import { type CertificateName, type Certificates, makeCertificates } from "./support/certificates.ts";
import { ENGINES, type EngineName, eventually, startTestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { startRawTarget } from "./support/raw-target.ts";
import { listening } from "./support/servers.ts";

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

  describe.skipIf(!HAS_NGINX).each<[EngineName, TlsVersion]>(combinations())(
    "nginx, asked by the %s engine in TLS %s",
    (engine, version) => {
      let nginx: CertificateServer;
      beforeAll(async () => {
        nginx = await startNginx({ made, version });
      });
      afterAll(() => nginx.stop());

      test("lets in whom it knows, over one connection", async () => {
        await using daemon = await startTestDaemon({ engine, toml: backend(nginx.url, pair("alice")) });
        const answers = [];
        for (let turn = 0; turn < 3; turn++) answers.push(JSON.parse((await ask(daemon)).text));
        expect(answers[0]).toMatchObject({ client: "CN=alice", serial: made.serial("alice"), path: "/base/v1/chat/completions" });
        expect(answers).toEqual([answers[0], answers[0], answers[0]]);
        expect(daemon.warnings()).toEqual([]);
      });

      const CLIENTS = [
        ["responses", "/v1/chat/completions", '{"model":"m","messages":[{"role":"user","content":"hi"}]}'],
        ["responses", "/v1/messages", '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'],
        ["chat", "/v1/responses", '{"model":"m","input":"hi"}'],
        ["chat", "/v1/messages", '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'],
      ] as const;

      test.each<[string, () => string, string]>([
        ["no certificate", () => "", "No required SSL certificate was sent"],
        ["one of an authority that it does not trust", () => pair("mallory"), "The SSL certificate error"],
      ])("%s: its page goes to who speaks as the target does, and is a 502 to who is translated for", async (_, auth, title) => {
        await using same = await startTestDaemon({ engine, toml: backend(nginx.url, auth()) });
        expect(await ask(same)).toMatchObject({ status: 400, reason: null, text: expect.stringContaining(`<title>400 ${title}</title>`) });

        for (const [dialect, path, body] of CLIENTS) {
          await using daemon = await startTestDaemon({ engine, toml: backend(nginx.url, auth(), `dialect = "${dialect}"\n`) });
          const got = await ask(daemon, path, body);
          expect([got.status, got.reason]).toEqual([502, "client_certificate"]);
          expect(got.text).toContain("the backend wants a client certificate, or another one: it answered 400");
          expect(got.text).toContain("see auth.cert_file and auth.key_file in its settings");
          expect(got.text).not.toContain("<");
          expect(got.json).toEqual(path === "/v1/messages" ? anthropicError() : openaiError("client_certificate"));
          expect(await daemon.event(({ type }) => type === "exchange")).toMatchObject({ status: 502, error: "client_certificate" });
        }
      });

      test("a machine with the preset of its kind is let in, and what it says is translated", async () => {
        const answer = {
          id: "r",
          object: "response",
          status: "completed",
          model: "own",
          output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello" }] }],
        };
        const target = await startRawTarget(({ connection }) => {
          const body = JSON.stringify(answer);
          connection.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
        });
        const behind = await startNginx({ made, version, to: target.port });
        await using daemon = await startTestDaemon({ engine, toml: backend(behind.url, pair("alice"), 'preset = "lightspeed"\n') });
        const got = await ask(daemon, "/v1/chat/completions", CLIENTS[0][2], { authorization: "Bearer client" });
        expect([got.status, got.json]).toEqual([200, expect.objectContaining({ object: "chat.completion" })]);
        expect(got.text).toContain('"content":"Hello"');
        const [arrived] = target.arrivals;
        const value = (name: string) => arrived?.headers.find(([given]) => given.toLowerCase() === name)?.[1];
        expect(arrived?.startLine).toBe("POST /base/v1/responses HTTP/1.1");
        expect(["x-client", "x-lcs-merge-server-tools", "authorization"].map(value)).toEqual(["CN=alice", "true", undefined]);
        expect(JSON.parse((await arrived?.complete)?.payload ?? "")).toMatchObject({ model: "", generate_topic_summary: false });
        await behind.stop();
        target.stop();
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
        await using daemon = await startTestDaemon({ engine, toml: backend(server.url, pair("alice")) });
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
        await using daemon = await startTestDaemon({ engine, toml: backend(server.url, "") });
        const got = await ask(daemon);
        expect(got).toMatchObject({ status: 502, reason: "upstream_tls", json: openaiError("upstream_tls") });
        expect(got.text).toContain(asks);
        expect(got.text).toContain("auth.cert_file and auth.key_file in the target's table name one");
      });

      test("refuses a certificate of another authority: a 502 that names its file", async () => {
        await using daemon = await startTestDaemon({ engine, toml: backend(server.url, pair("mallory")) });
        const got = await ask(daemon);
        expect(got).toMatchObject({ status: 502, reason: "upstream_tls", json: openaiError("upstream_tls") });
        expect(got.text).toContain(`take the client certificate ${made.certFile("mallory")}`);
      });
    },
  );

  // RFC 8446 section 6. The serve engine is not told which it was.
  test.each<[string, number, string, string]>([
    [
      "handshake_failure",
      40,
      "it refused the handshake, as servers do that ask for",
      "it refused the handshake, perhaps because of the client certificate FILE",
    ],
    [
      "bad_certificate",
      42,
      "it refused the handshake, as servers do that ask for",
      "it does not take the client certificate FILE; it must come from",
    ],
    [
      "certificate_revoked",
      44,
      "it refused the handshake, as servers do that ask for",
      "it does not take the client certificate FILE any more; renew it",
    ],
    [
      "certificate_expired",
      45,
      "it refused the handshake, as servers do that ask for",
      "it does not take the client certificate FILE any more; renew it",
    ],
    [
      "access_denied",
      49,
      "it refused the handshake, as servers do that ask for",
      "it does not take the client certificate FILE; it must come from",
    ],
    ["protocol_version", 70, "it speaks neither TLS 1.2 nor 1.3", "it speaks neither TLS 1.2 nor 1.3"],
    [
      "unrecognized_name",
      112,
      "it is no host of the name asked for",
      "it is no host of the name asked for; auth.server_name in the target's table",
    ],
    [
      "certificate_required",
      116,
      "it asks for a client certificate; auth.cert_file",
      "it asks for a client certificate, and did not get the one in FILE",
    ],
  ])("the alert %s is said in words, without a certificate and with one", async (_, number, without, withOne) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, number])));
    });
    const target = await listening(server);
    for (const [auth, sentence] of [
      ["", without],
      [pair("alice"), withOne],
    ] as const) {
      await using daemon = await startTestDaemon({ engine: "wire", toml: backend(`https://localhost:${target.port}`, auth) });
      const got = await ask(daemon);
      expect([got.status, got.reason]).toEqual([502, "upstream_tls"]);
      expect(got.text).toContain(sentence.replace("FILE", made.certFile("alice")));
    }
    target.stop();
  });

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
      const target = await startCounter(made);
      await using daemon = await startTestDaemon({
        engine,
        toml: backend(target.url, `cert_file = "${files.cert}"\nkey_file = "${files.key}"\n`),
      });
      const warning = await eventually(() => daemon.warnings()[0], "a warning");
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
      const target = await startCounter(made);
      // Who is nobody reads the authority's file, too.
      copyFileSync(made.certFile("ca"), join(folder.path, "ca.pem"));
      const toml = `[backend]\nendpoint = "${target.url}"\n[backend.auth]\nca_file = "${folder.path}/ca.pem"\ncert_file = "${files.cert}"\nkey_file = "${files.key}"\n`;
      await using daemon = await startTestDaemon({ engine, toml, user: NOBODY });
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
      const target = await startCounter(made);
      await using daemon = await startTestDaemon({
        engine,
        toml: backend(target.url, `cert_file = "${files.cert}"\nkey_file = "${files.key}"\n`),
      });
      expect((await ask(daemon)).status).toBe(200);
      expect(daemon.warnings()).toEqual([]);
      copied(files, "expired");
      for (let turn = 0; turn < 3; turn++) expect((await ask(daemon)).reason).toBe("client_certificate");
      rmSync(files.key);
      expect((await ask(daemon)).reason).toBe("client_certificate");
      copied(files, "bob");
      expect((await ask(daemon)).status).toBe(200);
      await eventually(() => (daemon.warnings().length === 2 ? true : undefined), "two warnings");
      expect(daemon.warnings()[0]).toContain("expired at");
      expect(daemon.warnings()[1]).toContain("key.pem (ENOENT)");
      target.stop();
    });
  });
});

function combinations(): [EngineName, TlsVersion][] {
  return ENGINES.flatMap((engine) => (["1.2", "1.3"] as const).map((version): [EngineName, TlsVersion] => [engine, version]));
}

function openaiError(code: string): unknown {
  return { error: { message: expect.stringMatching(/^faultproxy: /), type: "server_error", param: null, code } };
}

function anthropicError(): unknown {
  return { type: "error", error: { type: "api_error", message: expect.stringMatching(/^faultproxy: /) } };
}
