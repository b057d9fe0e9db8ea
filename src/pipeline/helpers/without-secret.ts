import type { OpenResponse } from "../../core/exchange.ts";

const MASK = "********";

/** An error as it may be shown to a client: some servers repeat the key that they refuse, and it is not the client's. */
export function withoutSecret(response: OpenResponse, secret: string | undefined): OpenResponse {
  if (secret === undefined) return response;
  const headers = response.headers.some(([, value]) => value.includes(secret))
    ? response.headers.map(([name, value]) => [name, value.replaceAll(secret, MASK)] as const)
    : response.headers;
  const { body } = response;
  if (!(body instanceof Uint8Array) || !Buffer.from(body.buffer, body.byteOffset, body.length).includes(secret))
    return { ...response, headers };
  const bytes = new TextEncoder().encode(new TextDecoder().decode(body).replaceAll(secret, MASK));
  return { ...response, headers: headers.filter(([name]) => name.toLowerCase() !== "content-length"), body: bytes };
}
