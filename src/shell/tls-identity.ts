import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsSetting } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { TlsIdentity } from "../core/exchange.ts";
import type { ProviderName } from "../core/provider.ts";
import { codeOf } from "./socket-path.ts";

/** Reads the files of a provider's TLS settings and finds that they fit; a mistake names the setting and the file, never what is in it. */
export function tlsIdentity(provider: ProviderName, { certFile, keyFile, caFile, serverName }: TlsSetting): TlsIdentity | InputError {
  const cert = certFile === undefined ? undefined : readCertificates(`providers.${provider}.cert_file`, certFile);
  if (isInputError(cert)) return cert;
  const key = keyFile === undefined ? undefined : readKey(`providers.${provider}.key_file`, keyFile);
  if (isInputError(key)) return key;
  if (cert !== undefined && key !== undefined && !cert.first.checkPrivateKey(key.key))
    return inputError(`providers.${provider}.key_file: ${keyFile} is not the key of the first certificate in ${certFile}`);
  const ca = caFile === undefined ? undefined : readCertificates(`providers.${provider}.ca_file`, caFile);
  if (isInputError(ca)) return ca;
  const files = {
    ...(cert === undefined ? {} : { cert: cert.pem }),
    ...(key === undefined ? {} : { key: key.pem }),
    ...(ca === undefined ? {} : { ca: ca.pem }),
  };
  try {
    createSecureContext(files);
  } catch (error) {
    return inputError(`providers.${provider}: its certificates cannot be used for TLS (${codeOf(error)})`);
  }
  return { ...files, ...(serverName === undefined ? {} : { serverName }) };
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
