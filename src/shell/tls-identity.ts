import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Settings } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { TlsIdentity } from "../core/exchange.ts";
import type { ServerCertificate } from "../engines/engine.ts";
import { codeOf } from "./socket-path.ts";

/** The files of a target's table, and its name for messages. */
export type IdentityFiles = { readonly table: string } & {
  readonly [Name in "certFile" | "keyFile" | "caFile"]: string | undefined;
};

export type ReadIdentity = {
  readonly identity: TlsIdentity;
  /** Of the client certificate; Unix time. */
  readonly validity: { readonly fromMs: number; readonly toMs: number } | undefined;
};

/** Reads a target's files and finds that they fit; a mistake names the setting and the file, never what is in it. */
export function identityOfFiles({ table, certFile, keyFile, caFile }: IdentityFiles): ReadIdentity | InputError {
  // The file has both or none.
  const pair =
    certFile === undefined || keyFile === undefined
      ? undefined
      : readPair({ setting: `${table}.auth.cert_file`, path: certFile }, { setting: `${table}.auth.key_file`, path: keyFile });
  if (isInputError(pair)) return pair;
  const ca = caFile === undefined ? undefined : readCertificates({ setting: `${table}.auth.ca_file`, path: caFile });
  if (isInputError(ca)) return ca;
  const { first, ...files } = { first: undefined, ...pair, ...(ca === undefined ? {} : { ca: ca.pem }) };
  const mistake = unusable(`${table}.auth: its certificates`, files);
  if (mistake !== undefined) return mistake;
  const validity = first === undefined ? undefined : { fromMs: Date.parse(first.validFrom), toMs: Date.parse(first.validTo) };
  return { identity: certFile === undefined ? files : { ...files, certFile }, validity };
}

/** The same for what clients get to see; undefined where TLS is not asked for. */
export function serverCertificate({
  tlsCertFile,
  tlsKeyFile,
}: Pick<Settings, "tlsCertFile" | "tlsKeyFile">): ServerCertificate | undefined | InputError {
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return undefined;
  if (tlsKeyFile === undefined) return inputError("--tls-cert needs --tls-key beside it (or FAULTPROXY_TLS_KEY, or tls_key in the file)");
  if (tlsCertFile === undefined)
    return inputError("--tls-key needs --tls-cert beside it (or FAULTPROXY_TLS_CERT, or tls_cert in the file)");
  const pair = readPair({ setting: "tls_cert (--tls-cert)", path: tlsCertFile }, { setting: "tls_key (--tls-key)", path: tlsKeyFile });
  if (isInputError(pair)) return pair;
  const { cert, key } = pair;
  return unusable(`tls_cert (--tls-cert): the certificates in ${tlsCertFile}`, { cert, key }) ?? { cert, key };
}

type Named = { readonly setting: string; readonly path: string };

function readPair(certFile: Named, keyFile: Named): (ServerCertificate & { readonly first: X509Certificate }) | InputError {
  const cert = readCertificates(certFile);
  if (isInputError(cert)) return cert;
  const key = readKey(keyFile);
  if (isInputError(key)) return key;
  if (!cert.first.checkPrivateKey(key.key))
    return inputError(
      `${keyFile.setting}: ${keyFile.path} is not the key of the first certificate in ${certFile.path}; name two that belong together`,
    );
  return { cert: cert.pem, key: key.pem, first: cert.first };
}

function unusable(what: string, files: Partial<ServerCertificate> & { readonly ca?: string }): InputError | undefined {
  try {
    createSecureContext(files);
    return undefined;
  } catch (error) {
    return inputError(`${what} cannot be used for TLS (${codeOf(error)})`);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function readCertificates({ setting, path }: Named): { readonly pem: string; readonly first: X509Certificate } | InputError {
  const pem = readText({ setting, path });
  if (isInputError(pem)) return pem;
  let first: X509Certificate | undefined;
  try {
    for (const [certificate] of pem.matchAll(CERTIFICATE)) {
      const parsed = new X509Certificate(certificate);
      first ??= parsed;
    }
  } catch {
    return inputError(`${setting}: a certificate in ${path} is damaged; put a whole one there`);
  }
  return first === undefined
    ? inputError(`${setting}: ${path} holds no certificate in PEM form; openssl x509 -inform der makes it of DER`)
    : { pem, first };
}

function readKey({ setting, path }: Named): { readonly pem: string; readonly key: KeyObject } | InputError {
  const pem = readText({ setting, path });
  if (isInputError(pem)) return pem;
  try {
    return { pem, key: createPrivateKey(pem) };
  } catch (error) {
    if (codeOf(error) === "ERR_MISSING_PASSPHRASE")
      return inputError(
        `${setting}: the key in ${path} is encrypted, and a passphrase cannot be given; openssl pkey writes it without one`,
      );
    return inputError(`${setting}: ${path} holds no private key in PEM form; openssl pkey -inform der makes it of DER`);
  }
}

function readText({ setting, path }: Named): string | InputError {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = codeOf(error);
    const advice = ADVICE[code] ?? (code === "ENOENT" ? adviceIfMissing(setting, path) : "");
    return inputError(`${setting}: cannot read ${path} (${code})${advice}`);
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "; let the user that faultproxy runs as read it",
  EPERM: "; let the user that faultproxy runs as read it",
  EISDIR: "; it is a folder, name a file in it",
};

/** Certificates there come with the registration of the machine. */
const OF_REGISTRATION = "/etc/pki/consumer/";

function adviceIfMissing(setting: string, path: string): string {
  if (!setting.includes(".auth.")) return "";
  if (path.startsWith(OF_REGISTRATION)) return "; register this system (subscription-manager register), or name another file";
  const isOurs = !setting.endsWith("ca_file");
  return `; put it there${isOurs ? " (a machine that gets it by registration must be registered first)" : ""}, or name another file`;
}
