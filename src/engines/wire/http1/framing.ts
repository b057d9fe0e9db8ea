import type { HeaderList } from "../../../core/headers.ts";
import { isHost, isToken, listMembers } from "./grammar.ts";
import { LENGTH_DIGITS_MAX } from "./limits.ts";
import { type BodyFraming, type MessageError, messageError, NO_BODY, type RequestLine, type StatusLine } from "./message.ts";

/** The fields that decide where a body ends and whom it is for. */
type Deciding = { readonly length: Only; readonly coding: Only; readonly host: Only };

/** The value of a field that may stand once: undefined where it does not, null where it stands more often. */
type Only = string | undefined | null;

function deciding(fields: HeaderList): Deciding {
  let length: Only;
  let coding: Only;
  let host: Only;
  for (const [name, value] of fields) {
    if (name.length === 4 && name.toLowerCase() === "host") host = host === undefined ? value : null;
    else if (name.length === 14 && name.toLowerCase() === "content-length") length = length === undefined ? value : null;
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") coding = coding === undefined ? value : null;
  }
  return { length, coding, host };
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
  const { length, coding, host } = deciding(fields);
  if (host === null || (host === undefined && minor === 1) || (host && !isHost(host))) return BAD_HOST;
  return framing(length, coding, minor, NO_BODY);
}

/** Where the body of a response to such a request ends. A tunnel begins behind the head of a 2xx to a CONNECT, whatever its fields say. */
export function responseFraming({ minor, status }: StatusLine, fields: HeaderList, method: string): BodyFraming | MessageError {
  if (method === "CONNECT" && status >= 200 && status < 300) return NO_BODY;
  const { length, coding } = deciding(fields);
  const found = framing(length, coding, minor, CLOSE);
  if ("code" in found) return found;
  return method === "HEAD" || status < 200 || status === 204 || status === 304 ? NO_BODY : found;
}

function framing(length: Only, coding: Only, minor: 0 | 1, without: BodyFraming): BodyFraming | MessageError {
  if (coding !== undefined) {
    if (length !== undefined) return BOTH;
    return coding === null || minor === 0 ? BAD_CODING : transferCoding(coding);
  }
  if (length === undefined) return without;
  const bytes = Number(length);
  if (length === null || length.length > LENGTH_DIGITS_MAX || !/^\d+$/.test(length) || !Number.isSafeInteger(bytes)) return BAD_LENGTH;
  return { kind: "length", bytes };
}

/** 501 only where the end of the body would be known; where chunked is not the last coding it is not (RFC 9112 section 6.3). */
function transferCoding(value: string): BodyFraming | MessageError {
  const members = listMembers(value);
  const isLastOnly = members.indexOf("chunked") === members.length - 1;
  if (!isLastOnly || !members.every((member) => isToken(member))) return BAD_CODING;
  return members.length === 1 ? CHUNKED : UNKNOWN_CODING;
}
