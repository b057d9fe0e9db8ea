import type { ProviderName } from "./provider.ts";

/** Who may use the proxy, and how much of it. */
export type Access = {
  /** Is it one of the proxy's own keys? Undefined: no key is needed. */
  readonly isKey: ((text: string) => boolean) | undefined;
  /** Is the proxy asked by this name? Of a `Host` field, or the authority of a target. Undefined: by any. */
  readonly isServed: ((host: string) => boolean) | undefined;
  /** Origins that were named one by one, in lower case. */
  readonly origins: ReadonlySet<string>;
  /** Whose targets get a credential of ours: no page of another origin may use it. */
  readonly lends: ReadonlySet<ProviderName>;
  /** Whose targets need no key of the client's, so that one of ours may stand in its place. */
  readonly takesKeyInPlace: ReadonlySet<ProviderName>;
  readonly bodyBytesMax: number;
  readonly streamsMax: number;
  /** Requests that are being answered, with the one that asks. */
  readonly running: () => number;
};

/** How a request came in. Only over plain TCP can a name that was made to point here pass for this proxy's own. */
export type Via = "tcp" | "tls" | "unix";

/** Where clients show one of the proxy's keys. It goes on to no target (core/headers.ts). */
export const KEY_FIELD = "x-faultproxy-key";

/** Where they show their key to providers, in lower case. */
export const PROVIDER_KEY_FIELDS: ReadonlySet<string> = new Set(["authorization", "x-api-key", "x-goog-api-key", "api-key"]);

/** A host, and a port that does not count (RFC 9110 section 7.2). */
const HOST = /^(?:\[([\da-f:.]+)\]|([\w.~-]+?)\.?)(?::\d*)?$/i;

/** No top-level domain is a number, and no browser asks the DNS for one (URL standard, section 3.5). */
const IPV4 = /^\d+(?:\.\d+){0,3}$/;

/**
 * Can no other page pass for it by making a name of its own point here? Addresses, `localhost`, names without a dot, which no public DNS
 * has, and the names given, in lower case.
 */
export function isOwnHost(host: string, names: ReadonlySet<string>): boolean {
  if (host === "") return true;
  const [, v6, typed] = HOST.exec(host) ?? [];
  if (v6 !== undefined) return true;
  if (typed === undefined) return false;
  const name = typed.toLowerCase();
  return !name.includes(".") || name.endsWith(".localhost") || IPV4.test(name) || names.has(name);
}
