import type { HeaderList } from "../../../core/headers.ts";
import { type BodyReader, bodyReader } from "./body.ts";
import { type Field, readField } from "./fields.ts";
import { requestFraming, responseFraming } from "./framing.ts";
import { isToken } from "./grammar.ts";
import { EMPTY_LINES_MAX, HEAD_BYTES_MAX } from "./limits.ts";
import {
  type BodyFraming,
  isMessageError,
  type MessageError,
  type MessageEvent,
  messageError,
  type RequestLine,
  type StatusLine,
  WholeData,
} from "./message.ts";
import { readRequestLine, readStatusLine } from "./start-line.ts";

/** Reads one message after the other. Pure: bytes in, events out. */
export type MessageReader<StartLine> = {
  /** Reads up to the end of the present message; what is behind it is given back with the `end` event. */
  readonly read: (bytes: Buffer) => readonly MessageEvent<StartLine>[];
  /** The sender will send no more. */
  readonly finish: () => readonly MessageEvent<StartLine>[];
  /** Between two messages, with nothing of the next one. Not after an error. */
  readonly isBetween: () => boolean;
};

/** A method, or an empty line before it (RFC 9112 section 2.2). A bare line feed has an error of its own. */
function mayBeginRequest(code: number): boolean {
  return code === 0x0d || code === 0x0a || isToken(String.fromCharCode(code));
}

function mayBeginResponse(code: number): boolean {
  return code === 0x48;
}

/** RFC 9112 section 3. */
export function requestReader(headBytesMax = HEAD_BYTES_MAX): MessageReader<RequestLine> {
  return messageReader(mayBeginRequest, readRequestLine, requestFraming, headBytesMax);
}

/** RFC 9112 section 4. `method` is asked when a head is complete: of the request that the response answers. */
export function responseReader(method: () => string): MessageReader<StatusLine> {
  return messageReader(mayBeginResponse, readStatusLine, (statusLine, fields) => responseFraming(statusLine, fields, method()));
}

function longHead(bytesMax: number): MessageError {
  return messageError("head_too_large", `a head above ${bytesMax} bytes`, 431);
}

const BARE_LF = messageError("bare_line_feed", "a line ends without a carriage return");
const NO_START = messageError("bad_start_line", "what came does not begin as a message does");
const HALF_HEAD = messageError("incomplete_head", "the connection ended in the middle of a head");
const HALF_BODY = messageError("incomplete_body", "the connection ended before the end of the body");
const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING = new Uint8Array();
const NO_TRAILERS: readonly Field[] = [];

type ReadStart<StartLine> = { readonly line: string | undefined; readonly startLine: StartLine | undefined };

const NO_START_READ: ReadStart<never> = { line: undefined, startLine: undefined };

function messageReader<StartLine>(
  /** What cannot be HTTP, such as a TLS handshake, is refused at its first byte: its sender would wait for an answer without end. */
  mayBegin: (code: number) => boolean,
  readStartLine: (line: string) => StartLine | MessageError,
  framingOf: (startLine: StartLine, fields: readonly Field[]) => BodyFraming | MessageError,
  headBytesMax = HEAD_BYTES_MAX,
): MessageReader<StartLine> {
  let startLine: StartLine | undefined;
  let fields: Field[] = [];
  /** Of the head before this one: its first line with its CRLF, and what it was read as, and its fields. */
  let lastStart: ReadStart<StartLine> = NO_START_READ;
  let lastFields: readonly Field[] = [];
  /** Text of the head that has come and is not a complete line. */
  let held = "";
  let headBytes = 0;
  let emptyLines = 0;
  let body: BodyReader | undefined;
  let framing: BodyFraming["kind"] = "none";
  let isOver = false;
  let hasFailed = false;

  const fail = (error: MessageError): MessageEvent<StartLine> => {
    isOver = true;
    hasFailed = true;
    held = "";
    fields = [];
    lastFields = [];
    body = undefined;
    return { kind: "error", error };
  };
  const end = (bytes: Buffer, raw: Uint8Array, trailers: HeaderList, next: number) => {
    body = undefined;
    const rest = next === bytes.length ? NOTHING : bytes.subarray(next);
    return { kind: "end", raw, trailers, rest } as const;
  };

  /** Reads lines of a head from `from` on. Gives the place behind the head when it is complete, or what is wrong. */
  const readHead = (bytes: Buffer, from: number): number | MessageError | undefined => {
    const found = bytes.indexOf(HEAD_END, from);
    const room = headBytesMax + 1 - headBytes - held.length;
    const stop = Math.min(found < 0 ? bytes.length : found + HEAD_END.length, from + room);
    const came = bytes.toString("latin1", from, stop);
    const before = held.length;
    const text = before === 0 ? came : held + came;
    let at = 0;
    // To look into a long line each time that some bytes of it come would be to copy it each time.
    while (before === 0 || at > 0 || came.includes("\n")) {
      // What has been read once is not read again: the next head on a connection has most lines of the one before.
      const field = startLine === undefined ? undefined : lastFields[fields.length];
      const known = before > 0 && at === 0 ? undefined : startLine === undefined ? lastStart.line : field?.[2];
      if (known !== undefined && text.startsWith(known, at)) {
        if (startLine === undefined) startLine = lastStart.startLine;
        else fields.push(field as Field);
        headBytes += known.length;
        at += known.length;
        if (headBytes > headBytesMax) return longHead(headBytesMax);
        continue;
      }
      if (startLine === undefined && at < text.length && !mayBegin(text.charCodeAt(at))) return NO_START;
      const feed = text.indexOf("\n", at === 0 ? before : at);
      if (feed < 0) break;
      headBytes += feed + 1 - at;
      if (headBytes > headBytesMax) return longHead(headBytesMax);
      const lineEnd = feed - 1;
      if (lineEnd < at || text.charCodeAt(lineEnd) !== 0x0d) return BARE_LF;
      const isEmpty = lineEnd === at;
      if (startLine === undefined) {
        if (!isEmpty) {
          const line = readStartLine(text.slice(at, lineEnd));
          if (isMessageError(line as object)) return line as MessageError;
          startLine = line as StartLine;
          lastStart = { line: text.slice(at, feed + 1), startLine };
        } else if (++emptyLines > EMPTY_LINES_MAX) return NO_START;
      } else if (isEmpty) {
        held = "";
        return from + feed + 1 - before;
      } else {
        const error = readField(text, at, lineEnd, fields);
        if (error !== undefined) return error;
      }
      at = feed + 1;
    }
    held = at === 0 ? text : text.slice(at);
    if (headBytes + held.length > headBytesMax) return longHead(headBytesMax);
    // Empty lines before a start line look like the end of a head.
    return stop < bytes.length ? readHead(bytes, stop) : undefined;
  };

  return {
    read(bytes) {
      const events: MessageEvent<StartLine>[] = [];
      if (isOver || bytes.length === 0) return events;
      let from = 0;
      if (body === undefined) {
        const behind = readHead(bytes, 0);
        if (behind === undefined) return events;
        if (typeof behind !== "number") return [fail(behind)];
        const found = framingOf(startLine as StartLine, fields);
        if (isMessageError(found)) return [fail(found)];
        events.push({ kind: "head", head: { ...(startLine as StartLine), headers: fields, framing: found } });
        lastFields = fields;
        startLine = undefined;
        fields = [];
        headBytes = 0;
        emptyLines = 0;
        framing = found.kind;
        from = behind;
        if (found.kind === "none" || (found.kind === "length" && found.bytes === 0)) {
          events.push(end(bytes, NOTHING, NO_TRAILERS, from));
          return events;
        }
        if (found.kind === "length" && bytes.length - from >= found.bytes) {
          // The whole message is here, as most are: no reader is needed for its body.
          const behind = from + found.bytes;
          events.push(new WholeData(bytes, from, behind), end(bytes, NOTHING, NO_TRAILERS, behind));
          return events;
        }
        body = bodyReader(found);
        if (from === bytes.length) return events;
      }
      const step = body(bytes, from);
      if (step.data !== undefined) events.push(step.data);
      if (step.error !== undefined) events.push(fail(step.error));
      else if (step.end !== undefined) events.push(end(bytes, step.end.raw, step.end.trailers, step.end.next));
      return events;
    },
    finish() {
      if (isOver) return [];
      isOver = true;
      if (body !== undefined) {
        if (framing !== "close") return [fail(HALF_BODY)];
        return [{ kind: "end", raw: NOTHING, trailers: [], rest: NOTHING }];
      }
      return startLine === undefined && held === "" ? [] : [fail(HALF_HEAD)];
    },
    isBetween: () => !hasFailed && body === undefined && startLine === undefined && held === "",
  };
}
