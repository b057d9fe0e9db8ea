import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Origin } from "./origin.ts";
import type { Socket, SocketError } from "./socket.ts";

/** As Bun takes them; the decision about the certificate is left to `mistrust`. */
export function tlsOptions({ hostname, tls }: Origin) {
  const serverName = (tls?.serverName ?? hostname).replace(/\.$/, "");
  return {
    // Told not to decide, Bun tells what it found all the same.
    rejectUnauthorized: false,
    // An address is no server name (RFC 6066 section 3), and without one Bun would send the address.
    serverName: isIP(serverName) === 0 ? serverName : "",
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  };
}

/**
 * What is wrong with a peer whose handshake has ended so, or undefined. Bun compares the certificate with the server name and, where
 * there is none, with the host of the connection, which may be a proxy's: an address is compared here.
 */
export function mistrust(
  socket: Socket,
  isDone: boolean,
  error: SocketError | null,
  origin: Origin,
  trustAll: boolean,
): SocketError | undefined {
  if (error === null && !isDone) return new Error("the handshake failed");
  if (trustAll) return error !== null && NOT_DONE.test(error.code ?? "") ? error : undefined;
  // A chain that is not trusted is told before a name that does not match.
  if (error !== null && error.code !== NAME_MISMATCH) return error;
  const expected = origin.tls?.serverName ?? origin.hostname;
  if (isIP(expected) === 0) return error ?? undefined;
  return checkServerIdentity(expected, socket.getPeerCertificate() as PeerCertificate);
}

/** Of a handshake that came to no end; all others are about the certificate. */
const NOT_DONE = /^(EPROTO|ECONNRESET|EPIPE)$/;
const NAME_MISMATCH = "ERR_TLS_CERT_ALTNAME_INVALID";

/** One sentence with OpenSSL's own code. */
export function tlsDetail({ authority, tls }: Pick<Origin, "authority" | "tls">, error: SocketError | undefined): string {
  const [, reason] = /:OPENSSL_internal:(\w+)/.exec(error?.message ?? "") ?? [];
  if (reason === undefined) {
    if (error?.code === undefined) return `${authority} closed the connection during the TLS handshake`;
    if (NOT_DONE.test(error.code)) return `${authority} closed the connection during the TLS handshake (${error.code})`;
    return `no trusted TLS connection to ${authority} (${error.code}: ${error.message})${adviceFor(error.code)}`;
  }
  const [, meaning] = MEANINGS(tls?.certFile).find(([pattern]) => pattern.test(reason)) ?? [];
  return `no TLS connection to ${authority} (${reason}${meaning === undefined ? "" : `: ${meaning}`})`;
}

/** What of a target's settings is about its own certificate. */
function adviceFor(code: string): string {
  if (code === NAME_MISMATCH) return "; auth.server_name in the target's table names the one that is expected";
  return NOT_VOUCHED_FOR.test(code) ? "; auth.ca_file in the target's table names the authorities that are trusted" : "";
}

const NOT_VOUCHED_FOR =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT\w*|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$/;

const MEANINGS = (certFile: string | undefined): readonly (readonly [RegExp, string])[] => {
  const ask = "; auth.cert_file and auth.key_file in the target's table name one";
  const refused = `it refused the handshake, as servers do that ask for a client certificate${ask}`;
  const ifShown = (text: string) => (certFile === undefined ? refused : text);
  return [
    [/^(WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|UNEXPECTED_RECORD)$/, "it does not answer in TLS; is it http://?"],
    [
      /ALERT_CERTIFICATE_REQUIRED$/,
      certFile === undefined
        ? `it asks for a client certificate${ask}`
        : `it asks for a client certificate, and did not get the one in ${certFile}`,
    ],
    [/ALERT_(CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED)$/, ifShown(`it does not take the client certificate ${certFile} any more; renew it`)],
    [
      /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|DECRYPT_ERROR)$/,
      ifShown(`it does not take the client certificate ${certFile}; it must come from an authority that the target trusts`),
    ],
    [/ALERT_HANDSHAKE_FAILURE$/, ifShown(`it refused the handshake, perhaps because of the client certificate ${certFile}`)],
    [/ALERT_UNRECOGNIZED_NAME$/, "it is no host of the name asked for; auth.server_name in the target's table names another"],
    [/ALERT_(PROTOCOL_VERSION|INSUFFICIENT_SECURITY)$/, "it speaks neither TLS 1.2 nor 1.3 as they are spoken here"],
  ];
};
