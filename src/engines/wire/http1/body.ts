import { KEY_FIELD } from "../../../core/access.ts";
import type { HeaderList } from "../../../core/headers.ts";
import { type Field, readField } from "./fields.ts";
import { isChunkExtensions } from "./grammar.ts";
import { CHUNK_BYTES_MAX, CHUNK_LINE_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, HEAD_BYTES_MAX } from "./limits.ts";
import { type BodyFraming, ChunkedData, type Data, type MessageError, messageError } from "./message.ts";

/** One step through a body: what these bytes brought of it, and where it ended. */
export type BodyStep = {
  /** Undefined where these bytes brought nothing that is certain yet. */
  readonly data: Data | undefined;
  /** Set when the body has ended: the bytes behind its data, the trailers, and where the next message begins. */
  readonly end?: { readonly raw: Uint8Array; readonly trailers: HeaderList; readonly next: number };
  readonly error?: MessageError;
};

/** Reads bytes from `from` on. */
export type BodyReader = (bytes: Buffer, from: number) => BodyStep;

const NOTHING = new Uint8Array();
const NO_TRAILERS: HeaderList = [];

export function bodyReader(framing: Exclude<BodyFraming, { kind: "none" }>): BodyReader {
  switch (framing.kind) {
    case "length":
      return lengthReader(framing.bytes);
    case "chunked":
      return chunkedReader();
    case "close":
      return (bytes, from) => plainStep(part(bytes, from, bytes.length));
  }
}

function lengthReader(lengthBytes: number): BodyReader {
  let left = lengthBytes;
  return (bytes, from) => {
    const taken = Math.min(left, bytes.length - from);
    left -= taken;
    const step = plainStep(part(bytes, from, from + taken));
    return left > 0 ? step : { ...step, end: { raw: NOTHING, trailers: NO_TRAILERS, next: from + taken } };
  };
}

function plainStep(raw: Uint8Array): BodyStep {
  return { data: raw.length === 0 ? undefined : { kind: "data", raw, payload: [raw] } };
}

/** Without a view where it is the whole. */
function part(bytes: Buffer, start: number, end: number): Uint8Array {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}

const BAD_SIZE = messageError(
  "bad_chunk",
  `a chunk does not begin with its size in hexadecimal digits, of ${CHUNK_BYTES_MAX} bytes at most`,
);
const BAD_EXTENSION = messageError("bad_chunk", "what follows the size of a chunk is not `;name=value`");
const LONG_LINE = messageError("bad_chunk", `the size and extensions of a chunk take more than ${CHUNK_LINE_BYTES_MAX} bytes`);
const BARE_LF = messageError("bare_line_feed", "a line ends without a carriage return");
const BAD_END = messageError("bad_chunk", "a chunk is longer than its size says");
const LONG_TRAILERS = messageError("head_too_large", `a trailer section above ${HEAD_BYTES_MAX} bytes`, 431);
const BAD_TRAILER = messageError(
  "bad_trailer",
  "a field of a trailer section frames or routes the message, says who sends it, or what the content is",
);

/** RFC 9110 section 6.5.1: a reader that adds trailers to the header fields would believe them too late, and another never. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "max-forwards",
  "proxy-authorization",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  KEY_FIELD,
]);

/** RFC 9112 section 7.1. Lines that are not complete are held back, so that what goes on has been understood. */
function chunkedReader(): BodyReader {
  let state: "size" | "data" | "data-cr" | "data-lf" | "trailers" = "size";
  let left = 0;
  /** The beginning of a line whose end has not come. */
  let line = "";
  /** Last chunk and trailer section so far. */
  let tail = "";
  const trailers: Field[] = [];

  return (bytes, from) => {
    const borders: number[] = [];
    let heldBefore = state === "size" ? line : "";
    let sure = from;
    let at = from;
    const step = (more: Partial<BodyStep>): BodyStep => {
      if (sure === from) return { data: undefined, ...more };
      const came = part(bytes, from, sure);
      const raw = heldBefore === "" ? came : Buffer.concat([Buffer.from(heldBefore, "latin1"), came]);
      return { data: new ChunkedData(raw, bytes, borders), ...more };
    };

    while (at < bytes.length) {
      switch (state) {
        case "data": {
          const taken = Math.min(left, bytes.length - at);
          borders.push(at, at + taken);
          at += taken;
          sure = at;
          left -= taken;
          if (left === 0) state = "data-cr";
          break;
        }
        case "data-cr":
        case "data-lf":
          if (bytes[at] !== (state === "data-cr" ? 0x0d : 0x0a)) return step({ error: BAD_END });
          sure = ++at;
          state = state === "data-cr" ? "data-lf" : "size";
          break;
        case "size":
        case "trailers": {
          const plain = state === "size" && line === "" ? plainSize(bytes, at) : undefined;
          if (plain !== undefined) {
            at = plain.next;
            sure = at;
            left = plain.size;
            state = "data";
            break;
          }
          const feed = bytes.indexOf(0x0a, at);
          const room = (state === "size" ? CHUNK_LINE_BYTES_MAX : HEAD_BYTES_MAX - tail.length) - line.length;
          const stop = Math.min(feed < 0 ? bytes.length : feed + 1, at + room + 1);
          line += bytes.toString("latin1", at, stop);
          if (stop > at + room) return step({ error: state === "size" ? LONG_LINE : LONG_TRAILERS });
          at = stop;
          if (feed < 0) return step({});
          if (line.charCodeAt(line.length - 2) !== 0x0d) return step({ error: BARE_LF });
          const whole = line;
          line = "";
          if (state === "trailers") {
            tail += whole;
            if (whole === "\r\n") return step({ end: { raw: Buffer.from(tail, "latin1"), trailers, next: at } });
            const error = readField(whole, 0, whole.length - 2, trailers);
            if (error !== undefined) return step({ error });
            if (NOT_IN_TRAILERS.has(trailers.at(-1)?.[0].toLowerCase() ?? "")) return step({ error: BAD_TRAILER });
            break;
          }
          const size = chunkSize(whole);
          if (typeof size !== "number") return step({ error: size });
          if (size === 0) {
            tail = whole;
            // What was held of this line belongs to the end, not to the data.
            if (sure === from) heldBefore = "";
            state = "trailers";
          } else {
            sure = at;
            left = size;
            state = "data";
          }
        }
      }
    }
    return step({});
  };
}

/** Digits that cannot make more than CHUNK_BYTES_MAX. */
const PLAIN_DIGITS_MAX = 7;

/** The size line that nearly all chunks of data have, read without making text of it: few digits, no extensions, complete in these bytes. */
function plainSize(bytes: Buffer, from: number): { readonly size: number; readonly next: number } | undefined {
  const stop = Math.min(from + PLAIN_DIGITS_MAX, bytes.length - 2);
  let size = 0;
  for (let at = from; at <= stop; at++) {
    const value = hexValue(bytes[at] ?? 0);
    if (value < 0) return size > 0 && bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? { size, next: at + 2 } : undefined;
    size = size * 16 + value;
  }
  return undefined;
}

/** Of a line with its CRLF. */
function chunkSize(line: string): number | MessageError {
  let digits = 0;
  let size = 0;
  for (; digits < line.length; digits++) {
    const value = hexValue(line.charCodeAt(digits));
    if (value < 0) break;
    size = size * 16 + value;
  }
  if (digits === 0 || digits > CHUNK_SIZE_DIGITS_MAX || size > CHUNK_BYTES_MAX) return BAD_SIZE;
  const end = line.length - 2;
  return digits === end || isChunkExtensions(line.slice(digits, end)) ? size : BAD_EXTENSION;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
