import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { ask } from "./support/ask.ts";
import { startCounter, startNginx } from "./support/certificate-servers.ts";
import { type CertificateName, type Certificates, makeCertificates } from "./support/certificates.ts";
import { ENGINES, eventually, startTestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { startRawTarget } from "./support/raw-target.ts";
import { answering, listening } from "./support/servers.ts";

const HAS_NGINX = Bun.which("nginx") !== null;

describe.skipIf(Bun.which("openssl") === null)("identities", () => {
  let made: Certificates;
  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());

  const pair = (name: CertificateName) => `cert_file = "${made.certFile(name)}"\nkey_file = "${made.keyFile(name)}"\n`;
  const backend = (url: string, auth: string) =>
    `[backend]\nendpoint = "${url}/base/v1"\n[backend.auth]\nca_file = "${made.certFile("ca")}"\n${auth}`;

  describe.each(ENGINES)("the mode of the key's file, with the %s engine", (engine) => {
    const keyReadByAll = (path: string) => `backend: other users can read the private key ${path}; take that away with: chmod 600 ${path}`;

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
      const target = await startCounter(made);
      await using daemon = await startTestDaemon({
        engine,
        toml: backend(target.url, `cert_file = "${made.certFile("alice")}"\nkey_file = "${key}"\n`),
      });
      expect((await ask(daemon)).status).toBe(200);
      await daemon.event(({ type }) => type === "exchange");
      expect(daemon.warnings()).toEqual(isTold ? [keyReadByAll(key)] : []);
      // It is read again, and looked at again.
      chmodSync(key, 0o644);
      expect((await ask(daemon)).status).toBe(200);
      await eventually(
        () => (daemon.warnings().filter((text) => text === keyReadByAll(key)).length === (isTold ? 2 : 1) ? true : undefined),
        "the warning",
      );
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
      await using daemon = await startTestDaemon({ engine, toml: backend(nginx.url, `cert_file = "${cert}"\nkey_file = "${key}"\n`) });
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
      await using daemon = await startTestDaemon({ engine, toml });
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
      await using strange = await startTestDaemon({ engine, toml: toml("") });
      const refused = await ask(strange);
      expect([refused.status, refused.reason]).toEqual([502, "upstream_tls"]);
      expect(refused.text).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
      if (engine === "wire") expect(refused.text).toContain("auth.server_name in the target's table names the one that is expected");
      await using known = await startTestDaemon({ engine, toml: toml('server_name = "other.test"\n') });
      expect((await ask(known)).status).toBe(200);
      expect(names.at(-1)).toBe("other.test");
      target.stop();
    });
  });
});
