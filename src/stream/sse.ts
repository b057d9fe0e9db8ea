import type { Frame, FrameSplitter, Framing } from "../core/frame.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import { createHold } from "./hold.ts";

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

// A byte order mark inside a value is text; only the one before the stream is not.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

/**
 * Server-sent events (WHATWG HTML, section 9.2.6). A frame is the bytes up to and including its blank line; a blank
 * line, or comments and other fields without `data`, are frames without data.
 */
export const SSE: Framing = {
  name: "sse",
  contentType: "text/event-stream; charset=utf-8",
  splitter: () => sseSplitter(FRAME_BYTES_MAX),
  render: renderEvent,
  trailer: "",
};

export function sseSplitter(bytesMax: number): FrameSplitter {
  const hold = createHold(bytesMax);
  let lineIsEmpty = true;
  /** The last byte was a CR; an LF after it belongs to the same line end. */
  let afterCr = false;
  /** A blank line ended with that CR: the frame is complete, but for an LF that may follow. */
  let blankAtCr = false;
  let isFirst = true;

  const emit = (last: Uint8Array, frames: Frame[]) => {
    const { bytes, whole } = hold.finish(last, frames);
    if (bytes.length > 0) frames.push(whole ? parseBlock(bytes, isFirst) : { bytes, event: undefined, data: undefined });
    isFirst = false;
  };

  return {
    push(chunk) {
      const frames: Frame[] = [];
      let start = 0;
      let position = 0;
      if (afterCr && chunk.length > 0) {
        afterCr = false;
        if (chunk[0] === LF) position = 1;
        if (blankAtCr) {
          blankAtCr = false;
          emit(chunk.subarray(0, position), frames);
          start = position;
        }
      }
      // Each search goes on where the last one found something, so that a byte is looked at once for either sign.
      let nextLf = -1;
      let nextCr = -1;
      while (position < chunk.length) {
        if (nextLf < position) nextLf = indexOrEnd(chunk, LF, position);
        if (nextCr < position) nextCr = indexOrEnd(chunk, CR, position);
        const lineEnd = Math.min(nextLf, nextCr);
        if (lineEnd > position) lineIsEmpty = false;
        if (lineEnd === chunk.length) break;
        const isCr = lineEnd === nextCr;
        position = lineEnd + 1;
        if (isCr && position < chunk.length && chunk[position] === LF) position++;
        else if (isCr && position === chunk.length) afterCr = true;
        if (lineIsEmpty && afterCr) blankAtCr = true;
        else if (lineIsEmpty) {
          emit(chunk.subarray(start, position), frames);
          start = position;
        }
        lineIsEmpty = true;
      }
      if (start < chunk.length) hold.keep(chunk.subarray(start), frames);
      return frames;
    },
    end() {
      const frames: Frame[] = [];
      if (hold.isEmpty()) return frames;
      if (blankAtCr) emit(NOTHING, frames);
      else {
        const { bytes } = hold.finish(NOTHING, frames);
        if (bytes.length > 0) frames.push({ bytes, event: undefined, data: undefined });
      }
      return frames;
    },
  };
}

function indexOrEnd(bytes: Uint8Array, value: number, from: number): number {
  const index = bytes.indexOf(value, from);
  return index < 0 ? bytes.length : index;
}

/** Reads the fields of one complete block. */
function parseBlock(bytes: Uint8Array, isFirst: boolean): Frame {
  let event: string | undefined;
  let data: string | undefined;
  let position = isFirst && BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? BYTE_ORDER_MARK.length : 0;
  while (position < bytes.length) {
    let end = position;
    while (end < bytes.length && bytes[end] !== LF && bytes[end] !== CR) end++;
    if (isField(bytes, position, end, "data")) {
      const value = fieldValue(bytes, position + 4, end);
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (isField(bytes, position, end, "event")) {
      event = fieldValue(bytes, position + 5, end) || undefined;
    }
    position = end + 1;
  }
  return { bytes, event, data };
}

/** Is the line's field name this one? A line without a colon is all name. */
function isField(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const nameEnd = start + name.length;
  if (nameEnd > end || (nameEnd < end && bytes[nameEnd] !== COLON)) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[start + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** What follows the colon, without one leading space. */
function fieldValue(bytes: Uint8Array, nameEnd: number, lineEnd: number): string {
  const start = nameEnd + 1;
  return start >= lineEnd ? "" : decoder.decode(bytes.subarray(bytes[start] === SPACE ? start + 1 : start, lineEnd));
}

function renderEvent(event: string | undefined, data: string): Uint8Array {
  const lines = /[\r\n]/.test(data) ? data.split(/\r\n|\r|\n/).join("\ndata: ") : data;
  return encoder.encode(event === undefined ? `data: ${lines}\n\n` : `event: ${event}\ndata: ${lines}\n\n`);
}
