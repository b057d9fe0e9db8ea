import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is written of a certificate: whom it is for, who vouches, and from when on (in days from now) it lasts how long. */
type Leaf = {
  readonly names: string;
  readonly by: string;
  readonly days: number;
  readonly fromDays?: number;
  readonly commonName?: string;
};

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
  "alice-renewed": { names: "DNS:alice.client", by: "ca", days: 30, commonName: "alice" },
  mallory: { names: "DNS:mallory.client", by: "other", days: 30 },
  later: { names: "DNS:later.client", by: "ca", days: 30, fromDays: 10 },
} as const satisfies Record<string, Leaf>;

export type CertificateName = keyof typeof LEAVES | "ca" | "other";

export type Certificates = {
  readonly folder: string;
  readonly certFile: (name: CertificateName) => string;
  readonly keyFile: (name: CertificateName) => string;
  /** The same key, written with a passphrase. */
  readonly encryptedKeyFile: (name: CertificateName) => string;
  /** As OpenSSL and nginx write it: capitals. */
  readonly serial: (name: CertificateName) => string;
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
  for (const [name, { names, by, days, fromDays = 0, commonName = name }] of Object.entries(LEAVES) as [keyof typeof LEAVES, Leaf][]) {
    const subject = ["-subj", `/CN=${commonName}`];
    if (by === name) {
      openssl(["req", "-x509", ...newKey(name), "-out", certFile(name), "-days", "30", ...subject, "-addext", `subjectAltName=${names}`]);
      continue;
    }
    const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl(["req", ...newKey(name), "-out", request, ...subject]);
    if (fromDays > 0) {
      openssl([...aheadOfTime(folder, by, fromDays, fromDays + days), "-in", request, "-out", certFile(name), "-extfile", extensions]);
      continue;
    }
    const authority = ["-CA", join(folder, `${by}.crt`), "-CAkey", join(folder, `${by}.key`), "-CAcreateserial"];
    openssl(["x509", "-req", "-in", request, ...authority, "-out", certFile(name), "-days", String(days), "-extfile", extensions]);
  }
  return {
    folder,
    certFile,
    keyFile,
    encryptedKeyFile(name) {
      const path = join(folder, `${name}.encrypted.key`);
      openssl(["pkey", "-in", keyFile(name), "-aes256", "-passout", "pass:secret", "-out", path]);
      return path;
    },
    serial: (name) => new X509Certificate(read(certFile(name))).serialNumber,
    pair: (name) => ({ cert: read(certFile(name)), key: read(keyFile(name)) }),
    ca: read(certFile("ca")),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** `openssl x509` takes no beginning but now; `openssl ca`, which keeps books, does. */
function aheadOfTime(folder: string, by: string, fromDays: number, toDays: number): readonly string[] {
  const [books, config] = [join(folder, `${by}.index`), join(folder, `${by}.cnf`)];
  writeFileSync(books, "");
  const rows = [
    `database=${books}`,
    `new_certs_dir=${folder}`,
    "rand_serial=yes",
    "default_md=sha256",
    "policy=names",
    "unique_subject=no",
  ];
  writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\n${rows.join("\n")}\n[names]\ncommonName=supplied\n`);
  const day = (days: number) => `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/\D/g, "").slice(0, 14)}Z`;
  const authority = ["-cert", join(folder, `${by}.crt`), "-keyfile", join(folder, `${by}.key`)];
  return ["ca", "-batch", "-notext", "-config", config, ...authority, "-startdate", day(fromDays), "-enddate", day(toDays)];
}

function openssl(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words]);
  if (exitCode !== 0) throw new Error(`openssl ${words.join(" ")}: ${stderr.toString()}`);
}
