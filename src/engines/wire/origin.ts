import type { TlsIdentity } from "../../core/exchange.ts";
import { type Environment, type HttpProxy, isUnusable, namedProxy, proxyFor } from "./http-proxy.ts";

/** Where a connection goes, from a base URL. */
export type Origin = {
  readonly isTls: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** For `Host` and messages: the port only where it is not the scheme's own. */
  readonly authority: string;
  /** Path of the base URL without a trailing slash. */
  readonly basePath: string;
  readonly proxy: HttpProxy | undefined;
  /** Why nothing can be sent there: it would have to go through a proxy that is not spoken. */
  readonly mistake: string | undefined;
  readonly tls: TlsIdentity | undefined;
};

/** Of a base URL that has been checked (config/upstream.ts). */
export function originOf(base: string, tls: TlsIdentity | undefined, environment: Environment, ownProxy?: string): Origin {
  const url = new URL(base);
  const isTls = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  const proxy = ownProxy === undefined ? proxyFor(isTls, hostname, port, environment) : namedProxy(ownProxy);
  return {
    isTls,
    hostname,
    port,
    authority: url.host,
    basePath: url.pathname.replace(/\/+$/, ""),
    proxy: isUnusable(proxy) ? undefined : proxy,
    mistake: isUnusable(proxy) ? proxy.mistake : undefined,
    tls,
  };
}
