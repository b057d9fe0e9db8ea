/** An HTTP proxy on the way to targets. */
export type HttpProxy = {
  readonly hostname: string;
  readonly port: number;
  /** Value of `Proxy-Authorization`, where the URL has credentials. */
  readonly authorization: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a target, by the variables that curl and most others read: `https_proxy` or `http_proxy` by the target's scheme,
 * then `all_proxy`; none for hosts of `no_proxy`. Lower case comes before upper case.
 */
export function proxyFor(isTls: boolean, hostname: string, port: number, environment: Environment): HttpProxy | undefined {
  const value = variable(isTls ? "https_proxy" : "http_proxy", environment) ?? variable("all_proxy", environment);
  if (value === undefined || isExcepted(hostname, port, variable("no_proxy", environment) ?? "")) return undefined;
  const text = value.includes("://") ? value : `http://${value}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  // Other kinds (SOCKS, TLS to the proxy) are not spoken; checkProxies has said so at the start.
  if (url.protocol !== "http:") return undefined;
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 80 : Number(url.port),
    authorization: credentials === ":" ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`,
  };
}

/** Entries are hosts, which mean their subdomains too, with or without a leading dot or `*.`, perhaps with a port; `*` is every host. */
function isExcepted(hostname: string, port: number, exceptions: string): boolean {
  const host = hostname.toLowerCase();
  return exceptions.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const [, name = "", entryPort] = /^\[?([^[\]]*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const bare = name.replace(/^\*?\./, "");
    if (bare === "" || (entryPort !== undefined && Number(entryPort) !== port)) return false;
    return host === bare || host.endsWith(`.${bare}`);
  });
}

function variable(name: string, environment: Environment): string | undefined {
  const value = environment[name] ?? environment[name.toUpperCase()];
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}
