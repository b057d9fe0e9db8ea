/** The address that clients on this machine use. */
export function originOf(host: string, port: number): string {
  // An unspecified address is good for listening only.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
