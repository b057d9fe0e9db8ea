export type Scheme = "http" | "https";

/** The address that clients on this machine use. */
export function originOf({ scheme, host, port }: { readonly scheme: Scheme; readonly host: string; readonly port: number }): string {
  // An unspecified address is good for listening only.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
