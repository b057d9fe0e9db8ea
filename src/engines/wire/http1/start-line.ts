import { isFieldValue, isTarget, isToken } from "./grammar.ts";
import { type MessageError, messageError, type RequestLine, type StatusLine } from "./message.ts";

const BAD_REQUEST_LINE = messageError("bad_start_line", "the first line is not METHOD TARGET HTTP/1.1 with single spaces");
const BAD_TARGET = messageError("bad_target", "the request target has none of the four forms, or holds a character that is not allowed");
const BAD_STATUS_LINE = messageError("bad_start_line", "the first line is not HTTP/1.1 STATUS REASON");
const BAD_VERSION = messageError("bad_version", "only HTTP/1.0 and HTTP/1.1 are spoken here", 505);

/** RFC 9112 section 3. */
export function readRequestLine(line: string): RequestLine | MessageError {
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  if (first === last || !isToken(line, 0, first)) return BAD_REQUEST_LINE;
  const target = line.slice(first + 1, last);
  const version = line.slice(last + 1);
  if (!/^HTTP\/\d\.\d$/.test(version)) return BAD_REQUEST_LINE;
  if (target.startsWith(" ") || target.endsWith(" ") || target === "") return BAD_REQUEST_LINE;
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return BAD_VERSION;
  const method = line.slice(0, first);
  return isTarget(method, target) ? { method, target, minor: version === "HTTP/1.1" ? 1 : 0 } : BAD_TARGET;
}

/**
 * RFC 9112 section 4. The space before an absent reason may be absent too, as some servers have it. Status codes are 100 to 999: those from 600
 * on mean nothing in RFC 9110, but some servers have them, and no reader takes them for a message without a body.
 */
export function readStatusLine(line: string): StatusLine | MessageError {
  const match = /^HTTP\/(\d\.\d) (\d{3})(?: (.*))?$/s.exec(line);
  const [, version = "", digits = "", reason = ""] = match ?? [];
  if (match === null || !isFieldValue(reason, 0, reason.length)) return BAD_STATUS_LINE;
  const status = Number(digits);
  if (status < 100) return BAD_STATUS_LINE;
  if (version === "1.1") return { minor: 1, status, reason };
  return version === "1.0" ? { minor: 0, status, reason } : BAD_VERSION;
}
