import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Settings, TlsSetting } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { TlsIdentity } from "../core/exchange.ts";
import type { ProviderName } from "../core/provider.ts";
import type { ServerCertificate } from "../engines/engine.ts";
import { codeOf } from "./socket-path.ts";

/** Reads the files of a provider's TLS settings and finds that they fit; a mistake names the setting and the file, never what is in it. */
export function tlsIdentity(provider: ProviderName, { certFile, keyFile, caFile, serverName }: TlsSetting): TlsIdentity | InputError {
  // The file has both or none.
  const pair =
    certFile === undefined || keyFile === undefined
      ? undefined
      : readPair(
          { setting: `providers.${provider}.cert_file`, path: certFile },
          { setting: `providers.${provider}.key_file`, path: keyFile },
        );
  if (isInputError(pair)) return pair;
  const ca = caFile === undefined ? undefined : readCertificates(`providers.${provider}.ca_file`, caFile);
  if (isInputError(ca)) return ca;
  const files = { ...pair, ...(ca === undefined ? {} : { ca: ca.pem }) };
  const mistake = unusable(`providers.${provider}: its certificates`, files);
  return mistake ?? { ...files, ...(serverName === undefined ? {} : { serverName }) };
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
  const pair = readPair({ setting: "--tls-cert", path: tlsCertFile }, { setting: "--tls-key", path: tlsKeyFile });
  return isInputError(pair) ? pair : (unusable(`--tls-cert: the certificates in ${tlsCertFile}`, pair) ?? pair);
}

type Named = { readonly setting: string; readonly path: string };

function readPair(certFile: Named, keyFile: Named): ServerCertificate | InputError {
  const cert = readCertificates(certFile.setting, certFile.path);
  if (isInputError(cert)) return cert;
  const key = readKey(keyFile.setting, keyFile.path);
  if (isInputError(key)) return key;
  if (!cert.first.checkPrivateKey(key.key))
    return inputError(`${keyFile.setting}: ${keyFile.path} is not the key of the first certificate in ${certFile.path}`);
  return { cert: cert.pem, key: key.pem };
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

function readCertificates(setting: string, path: string): { readonly pem: string; readonly first: X509Certificate } | InputError {
  const pem = readText(setting, path);
  if (isInputError(pem)) return pem;
  let first: X509Certificate | undefined;
  try {
    for (const [certificate] of pem.matchAll(CERTIFICATE)) {
      const parsed = new X509Certificate(certificate);
      first ??= parsed;
    }
  } catch {
    return inputError(`${setting}: a certificate in ${path} is damaged`);
  }
  return first === undefined ? inputError(`${setting}: ${path} holds no certificate in PEM form`) : { pem, first };
}

function readKey(setting: string, path: string): { readonly pem: string; readonly key: KeyObject } | InputError {
  const pem = readText(setting, path);
  if (isInputError(pem)) return pem;
  try {
    return { pem, key: createPrivateKey(pem) };
  } catch (error) {
    if (codeOf(error) === "ERR_MISSING_PASSPHRASE")
      return inputError(`${setting}: the key in ${path} is encrypted, and a passphrase cannot be given; write it without one`);
    return inputError(`${setting}: ${path} holds no private key in PEM form`);
  }
}

function readText(setting: string, path: string): string | InputError {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return inputError(`${setting}: cannot read ${path} (${codeOf(error)})`);
  }
}
