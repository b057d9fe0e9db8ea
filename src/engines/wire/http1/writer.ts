import { STATUS_CODES } from "node:http";
import type { HeaderField, HeaderList } from "../../../core/headers.ts";

/** A request head (RFC 9112 section 3) as Latin-1 text, so that every byte that was read is the byte that is written. */
export function requestHead(method: string, target: string, headers: HeaderList): string {
  return `${requestLine(method, target)}${fieldLines(headers)}\r\n`;
}

export function requestLine(method: string, target: string): string {
  return `${method} ${target} HTTP/1.1\r\n`;
}

/** A response head (RFC 9112 section 4). Without a reason it gets the standard one. */
export function responseHead(status: number, reason: string | undefined, headers: HeaderList): string {
  return `${statusLine(status, reason)}${fieldLines(headers)}\r\n`;
}

export function statusLine(status: number, reason: string | undefined): string {
  return `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? ""}\r\n`;
}

/** RFC 9112 section 5. */
export function fieldLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

/** As it came, where it came from a wire. */
export function receivedLine(field: HeaderField): string {
  return field[2] ?? fieldLine(field[0], field[1]);
}

export function fieldLines(headers: HeaderList): string {
  let lines = "";
  for (const field of headers) lines += receivedLine(field);
  return lines;
}

export const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** One chunk (RFC 9112 section 7.1). An empty one would end the body, so there is none. */
export function chunk(payload: Uint8Array): Buffer {
  const size = payload.length.toString(16);
  const bytes = Buffer.allocUnsafe(size.length + payload.length + 4);
  bytes.write(`${size}\r\n`, 0, "latin1");
  bytes.set(payload, size.length + 2);
  bytes.write("\r\n", size.length + 2 + payload.length, "latin1");
  return bytes;
}

/** A head and what follows it in one piece. */
export function joined(head: string, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, "latin1");
  bytes.set(body, head.length);
  return bytes;
}
