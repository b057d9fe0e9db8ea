import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is written of a certificate: whom it is for, and who vouches. */
type Leaf = { readonly names: string; readonly by: string; readonly days: number };

/** `names` as OpenSSL writes subjectAltName; `by` is an authority, or the certificate itself. */
const LEAVES = {
  good: { names: "DNS:localhost,DNS:*.wild.test,IP:127.0.0.1,IP:::1", by: "ca", days: 30 },
  "name-only": { names: "DNS:localhost", by: "ca", days: 30 },
  "other-name": { names: "DNS:other.test", by: "ca", days: 30 },
  expired: { names: "DNS:localhost,IP:127.0.0.1", by: "ca", days: -1 },
  "self-signed": { names: "DNS:localhost,IP:127.0.0.1", by: "self-signed", days: 30 },
  "other-ca": { names: "DNS:localhost,IP:127.0.0.1", by: "other", days: 30 },
  alice: { names: "DNS:alice.client", by: "ca", days: 30 },
  bob: { names: "DNS:bob.client", by: "ca", days: 30 },
  mallory: { names: "DNS:mallory.client", by: "other", days: 30 },
} as const satisfies Record<string, Leaf>;

export type CertificateName = keyof typeof LEAVES | "ca" | "other";

export type Certificates = {
  readonly folder: string;
  readonly certFile: (name: CertificateName) => string;
  readonly keyFile: (name: CertificateName) => string;
  /** PEM, as node:tls takes it. */
  readonly pair: (name: CertificateName) => { readonly cert: string; readonly key: string };
  readonly ca: string;
  readonly remove: () => void;
};

/** Makes two authorities and what they vouch for. Needs `openssl`. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-certificates-"));
  const certFile = (name: CertificateName) => join(folder, `${name}.crt`);
  const keyFile = (name: CertificateName) => join(folder, `${name}.key`);
  const read = (path: string) => readFileSync(path, "utf8");
  const newKey = (name: CertificateName) => [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    keyFile(name),
  ];
  for (const name of ["ca", "other"] as const)
    openssl(["req", "-x509", ...newKey(name), "-out", certFile(name), "-days", "30", "-subj", `/CN=authority ${name}`]);
  for (const [name, { names, by, days }] of Object.entries(LEAVES) as [keyof typeof LEAVES, Leaf][]) {
    const subject = ["-subj", `/CN=${name}`];
    if (by === name) {
      openssl(["req", "-x509", ...newKey(name), "-out", certFile(name), "-days", "30", ...subject, "-addext", `subjectAltName=${names}`]);
      continue;
    }
    const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl(["req", ...newKey(name), "-out", request, ...subject]);
    const authority = ["-CA", join(folder, `${by}.crt`), "-CAkey", join(folder, `${by}.key`), "-CAcreateserial"];
    openssl(["x509", "-req", "-in", request, ...authority, "-out", certFile(name), "-days", String(days), "-extfile", extensions]);
  }
  return {
    folder,
    certFile,
    keyFile,
    pair: (name) => ({ cert: read(certFile(name)), key: read(keyFile(name)) }),
    ca: read(certFile("ca")),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function openssl(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words]);
  if (exitCode !== 0) throw new Error(`openssl ${words.join(" ")}: ${stderr.toString()}`);
}
