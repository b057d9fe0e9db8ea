/** Loopback, also where IPv4 comes over an IPv6 socket (RFC 4291 sections 2.5.3 and 2.5.5.2). */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/i.test(address);
}
