/** A path segment without its percent-encoding (RFC 3986 section 2.1); one with broken escapes stays as it is. */
export function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
