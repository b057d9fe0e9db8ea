import type { HeaderList } from "../../../core/headers.ts";
import { isHost, isToken, listMembers } from "./grammar.ts";
import { LENGTH_DIGITS_MAX } from "./limits.ts";
import { type BodyFraming, type MessageError, messageError, NO_BODY, type RequestLine, type StatusLine } from "./message.ts";

/** The fields that decide where a body ends and whom it is for. */
type Deciding = { readonly lengths: readonly string[]; readonly codings: readonly string[]; readonly hosts: readonly string[] };

function deciding(fields: HeaderList): Deciding {
  const lengths: string[] = [];
  const codings: string[] = [];
  const hosts: string[] = [];
  for (const [name, value] of fields) {
    if (name.length === 4 && name.toLowerCase() === "host") hosts.push(value);
    else if (name.length === 14 && name.toLowerCase() === "content-length") lengths.push(value);
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") codings.push(value);
  }
  return { lengths, codings, hosts };
}

const CHUNKED: BodyFraming = { kind: "chunked" };
const CLOSE: BodyFraming = { kind: "close" };
const BAD_LENGTH = messageError("bad_content_length", "Content-Length must be one decimal number, given once");
const BOTH = messageError("length_and_transfer_encoding", "Content-Length together with Transfer-Encoding");
const BAD_CODING = messageError("bad_transfer_encoding", "Transfer-Encoding must be chunked, given once, in an HTTP/1.1 message");
const UNKNOWN_CODING = messageError("unknown_transfer_coding", "the only transfer coding that is understood is chunked", 501);
const BAD_HOST = messageError("bad_host", "an HTTP/1.1 request needs exactly one Host, made of a host and perhaps a port");

/** Where the body of a request ends (RFC 9112 section 6.3), with one Host (section 3.2). */
export function requestFraming({ minor }: RequestLine, fields: HeaderList): BodyFraming | MessageError {
  const { lengths, codings, hosts } = deciding(fields);
  const [host = ""] = hosts;
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1) || (host !== "" && !isHost(host))) return BAD_HOST;
  return framing(lengths, codings, minor, NO_BODY);
}

/** Where the body of a response to such a request ends. A tunnel begins behind the head of a 2xx to a CONNECT, whatever its fields say. */
export function responseFraming({ minor, status }: StatusLine, fields: HeaderList, method: string): BodyFraming | MessageError {
  if (method === "CONNECT" && status >= 200 && status < 300) return NO_BODY;
  const { lengths, codings } = deciding(fields);
  const found = framing(lengths, codings, minor, CLOSE);
  if ("code" in found) return found;
  return method === "HEAD" || status < 200 || status === 204 || status === 304 ? NO_BODY : found;
}

function framing(lengths: readonly string[], codings: readonly string[], minor: 0 | 1, without: BodyFraming): BodyFraming | MessageError {
  if (codings.length > 0) {
    if (lengths.length > 0) return BOTH;
    if (codings.length > 1 || minor === 0) return BAD_CODING;
    return transferCoding(codings[0] ?? "");
  }
  if (lengths.length === 0) return without;
  const [length = ""] = lengths;
  const bytes = Number(length);
  if (lengths.length > 1 || length.length > LENGTH_DIGITS_MAX || !/^\d+$/.test(length) || !Number.isSafeInteger(bytes)) return BAD_LENGTH;
  return { kind: "length", bytes };
}

/** 501 only where the end of the body would be known; where chunked is not the last coding it is not (RFC 9112 section 6.3). */
function transferCoding(value: string): BodyFraming | MessageError {
  const members = listMembers(value);
  const isLastOnly = members.indexOf("chunked") === members.length - 1;
  if (!isLastOnly || !members.every((member) => isToken(member))) return BAD_CODING;
  return members.length === 1 ? CHUNKED : UNKNOWN_CODING;
}
