import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import type { Certificates } from "./certificates.ts";
import { answering, freePort, listening, reachable } from "./servers.ts";

export type TlsVersion = "1.2" | "1.3";

/** A server that lets nobody in without a client certificate that `ca` vouches for. */
export type CertificateServer = {
  readonly port: number;
  readonly url: string;
  readonly stop: () => Promise<void>;
};

type Options = {
  readonly made: Certificates;
  readonly version: TlsVersion;
  /** Passes what comes on to this port, with what it knows of the client in `x-client`, `x-serial` and `x-connection`; else it answers itself. */
  readonly to?: number;
};

/** nginx, which refuses certificates with pages. It answers with JSON: name and serial number of the client, connection, path. */
export async function startNginx({ made, version, to }: Options): Promise<CertificateServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-nginx-"));
  chmodSync(folder, 0o755);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  const answer = `default_type application/json;
    return 200 '{"client":"$ssl_client_s_dn","serial":"$ssl_client_serial","connection":$connection,"path":"$request_uri"}';`;
  const onward = `proxy_pass http://127.0.0.1:${to}; proxy_http_version 1.1; proxy_buffering off; proxy_set_header x-client $ssl_client_s_dn;
    proxy_set_header x-serial $ssl_client_serial; proxy_set_header x-connection $connection; proxy_set_header connection "";`;
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events {}
http { access_log off; ${temporary} server { listen 127.0.0.1:${port} ssl; ssl_protocols TLSv${version};
  ssl_certificate ${made.certFile("good")}; ssl_certificate_key ${made.keyFile("good")};
  ssl_client_certificate ${made.certFile("ca")}; ssl_verify_client on; client_max_body_size 0;
  location / { ${to === undefined ? answer : onward} } } }\n`,
  );
  const server = Bun.spawn(["nginx", "-p", folder, "-c", file], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  return serverOf(server, port, () => rmSync(folder, { recursive: true, force: true }));
}

async function serverOf(server: Bun.Subprocess, port: number, cleanUp = () => {}): Promise<CertificateServer> {
  await reachable(port);
  return {
    port,
    url: `https://localhost:${port}`,
    async stop() {
      server.kill();
      await server.exited;
      cleanUp();
    },
  };
}

/** OpenSSL's own server, which refuses certificates with alerts. It answers to GET alone, with a page that names the client. */
export async function startOpenssl({ made, version }: Omit<Options, "to">): Promise<CertificateServer> {
  const port = await freePort();
  const own = ["-cert", made.certFile("good"), "-key", made.keyFile("good"), "-CAfile", made.certFile("ca")];
  const demand = ["-Verify", "1", "-verify_return_error", `-tls${version.replace(".", "_")}`];
  const server = Bun.spawn(["openssl", "s_server", "-quiet", "-www", "-accept", String(port), ...own, ...demand], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  return serverOf(server, port);
}

/** A server that lets everybody in and writes down who came, by connection. */
export async function startCounter(made: Certificates) {
  const clients: string[] = [];
  const server = createServer({ ...made.pair("good"), requestCert: true, rejectUnauthorized: false, ca: made.ca }, (socket: TLSSocket) => {
    clients.push(String(socket.getPeerCertificate()?.subject?.CN ?? "nobody"));
    answering(socket);
  });
  server.on("tlsClientError", () => {});
  const { port, stop } = await listening(server);
  return { url: `https://localhost:${port}`, clients, stop };
}
