import type { Frame, FrameSplitter, Framing } from "../core/frame.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import { createHold } from "./hold.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

/**
 * One JSON array over the whole stream, as Gemini's `streamGenerateContent` sends it without `alt=sse`. A frame is an
 * element with the bracket, comma and white space before it; the closing bracket is a frame without data.
 */
export const JSON_ARRAY: Framing = {
  name: "json-array",
  contentType: "application/json; charset=UTF-8",
  splitter: () => jsonArraySplitter(FRAME_BYTES_MAX),
  render: (_event, data, index) => encoder.encode(index === 0 ? `[${data}` : `\n,\n${data}`),
  trailer: "\n]",
};

/** Where the reader stands: before an element, in one that a bracket or quote ends, or in a bare word or number. */
type Place = "between" | "nested" | "bare";

/**
 * An object outside an array is taken as an element too: servers answer with a bare error object where a stream was
 * asked for. Brackets are counted, not matched; whether an element is valid JSON is for its reader to find out.
 */
export function jsonArraySplitter(bytesMax: number): FrameSplitter {
  const hold = createHold(bytesMax);
  let place: Place = "between";
  let inArray = false;
  let depth = 0;
  let inString = false;
  let escaped = false;
  /** Bytes of the frame before its element. */
  let leadBytes = 0;

  const emit = (last: Uint8Array, hasData: boolean, frames: Frame[]) => {
    const { bytes, whole } = hold.finish(last, frames);
    const data = hasData && whole ? decoder.decode(bytes.subarray(leadBytes)) : undefined;
    if (bytes.length > 0) frames.push({ bytes, event: undefined, data });
    place = "between";
    leadBytes = 0;
  };

  /** True where this byte, inside brackets or quotes, is the last of the element. */
  const endsNested = (byte: number): boolean => {
    if (inString) {
      if (escaped) escaped = false;
      else if (byte === BACKSLASH) escaped = true;
      else if (byte === QUOTE) {
        inString = false;
        return depth === 0;
      }
      return false;
    }
    if (byte === QUOTE) inString = true;
    else if (byte === OBJECT_OPEN || byte === ARRAY_OPEN) depth++;
    else if (byte === OBJECT_CLOSE || byte === ARRAY_CLOSE) return --depth === 0;
    return false;
  };

  return {
    push(chunk) {
      const frames: Frame[] = [];
      let start = 0;
      for (let index = 0; index < chunk.length; index++) {
        const byte = chunk[index] ?? 0;
        if (place === "nested") {
          if (!endsNested(byte)) continue;
          emit(chunk.subarray(start, index + 1), true, frames);
          start = index + 1;
          continue;
        }
        if (place === "bare") {
          if (!isSeparator(byte)) continue;
          emit(chunk.subarray(start, index), true, frames);
          start = index;
        }
        if (inArray && byte === ARRAY_CLOSE) {
          inArray = false;
          emit(chunk.subarray(start, index + 1), false, frames);
          start = index + 1;
        } else if (!inArray && byte === ARRAY_OPEN) {
          inArray = true;
          leadBytes++;
        } else if (byte === OBJECT_OPEN || (inArray && (byte === ARRAY_OPEN || byte === QUOTE))) {
          place = "nested";
          depth = byte === QUOTE ? 0 : 1;
          inString = byte === QUOTE;
          escaped = false;
        } else if (inArray && !isSeparator(byte)) place = "bare";
        else leadBytes++;
      }
      if (start < chunk.length) hold.keep(chunk.subarray(start), frames);
      return frames;
    },
    end() {
      const frames: Frame[] = [];
      emit(NOTHING, false, frames);
      return frames;
    },
  };
}

/** Comma, closing bracket or white space: what can follow a bare word or number. */
function isSeparator(byte: number): boolean {
  return (
    byte === COMMA || byte === ARRAY_CLOSE || byte === OBJECT_CLOSE || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
  );
}
