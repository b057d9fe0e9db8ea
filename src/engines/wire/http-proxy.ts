import { BlockList, isIP } from "node:net";

/** An HTTP proxy on the way to targets. */
export type HttpProxy = {
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** For messages. */
  readonly authority: string;
  /** Value of `Proxy-Authorization`, where the URL has credentials. */
  readonly authorization: string | undefined;
};

/** A variable asks for a proxy that is not spoken. One sentence, without the value: it may hold a password. */
export type UnusableProxy = { readonly mistake: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a target, by the variables that curl and most others read: `https_proxy` or `http_proxy` by the target's scheme,
 * then `all_proxy`; none for hosts of `no_proxy`. Lower case comes before upper case, and an empty variable says that there is none.
 */
export function proxyFor(isTls: boolean, hostname: string, port: number, environment: Environment): HttpProxy | UnusableProxy | undefined {
  const [name, value] = variable(isTls ? "https_proxy" : "http_proxy", environment) ?? variable("all_proxy", environment) ?? [];
  if (name === undefined || value === undefined || value === "") return undefined;
  if (isExcepted(hostname, port, variable("no_proxy", environment)?.[1] ?? "")) return undefined;
  return parseProxy(name, value);
}

export function isUnusable(proxy: HttpProxy | UnusableProxy | undefined): proxy is UnusableProxy {
  return proxy !== undefined && "mistake" in proxy;
}

/** A proxy that a target's settings name. */
export function namedProxy(url: string): HttpProxy | UnusableProxy {
  return parseProxy("proxy", url);
}

function parseProxy(name: string, value: string): HttpProxy | UnusableProxy {
  const unusable = (why: string): UnusableProxy => ({ mistake: `${name} ${why}: expected http://[USER:PASSWORD@]HOST[:PORT]` });
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  if (scheme === "https") return unusable("names a proxy that wants TLS to itself, which is not spoken");
  if (scheme !== "http") return unusable(`names a ${scheme} proxy, which is not spoken`);
  if (!URL.canParse(text)) return unusable("is not the URL of a proxy");
  const url = new URL(text);
  try {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return {
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? 80 : Number(url.port),
      authority: url.port === "" ? `${url.hostname}:80` : url.host,
      authorization: credentials === ":" ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`,
    };
  } catch {
    return unusable("has a % in its user or password that stands for no character (write it %25)");
  }
}

/**
 * Entries are hosts, which mean their subdomains too, with or without a leading dot or `*.`; addresses; or subnets such as 10.0.0.0/8.
 * All but subnets may have a port. `*` is every host.
 */
function isExcepted(hostname: string, port: number, exceptions: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  return exceptions.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const { name, ownPort } = split(entry.toLowerCase());
    if (name === "" || (ownPort !== undefined && ownPort !== port)) return false;
    if (isIP(host) !== 0) return isSameAddress(host, name);
    const bare = name.replace(/^\*?\./, "").replace(/\.$/, "");
    return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
  });
}

function split(entry: string): { readonly name: string; readonly ownPort: number | undefined } {
  if (isIP(entry) === 6) return { name: entry, ownPort: undefined };
  const [, v6, name, digits] = /^(?:\[([^\]]*)\]|(.*?))(?::(\d+))?$/.exec(entry) ?? [];
  return { name: v6 ?? name ?? "", ownPort: digits === undefined ? undefined : Number(digits) };
}

/** Addresses are compared by their value: `::1` is `0:0:0:0:0:0:0:1`. */
function isSameAddress(address: string, entry: string): boolean {
  const [name = "", bits] = entry.split("/");
  const family = isIP(name);
  if (family === 0 || family !== isIP(address)) return false;
  const type = family === 6 ? "ipv6" : "ipv4";
  const length = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits);
  if (!/^\d{1,3}$/.test(bits ?? "0") || length > (family === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(name, length, type);
  return list.check(address, type);
}

function variable(name: string, environment: Environment): readonly [name: string, value: string] | undefined {
  for (const spelling of [name, name.toUpperCase()]) {
    const value = environment[spelling];
    if (value !== undefined) return [spelling, value.trim()];
  }
  return undefined;
}
