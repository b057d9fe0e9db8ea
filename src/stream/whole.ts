import type { Frame, FrameSplitter, Framing } from "../core/frame.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import { createHold } from "./hold.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

/** An answer that is not streamed: the entire body is one frame, known at its end. */
export const WHOLE: Framing = {
  name: "whole",
  contentType: "application/json",
  splitter: () => wholeSplitter(FRAME_BYTES_MAX),
  render: (_event, data) => encoder.encode(data),
  trailer: "",
};

export function wholeSplitter(bytesMax: number): FrameSplitter {
  const hold = createHold(bytesMax);
  return {
    push(chunk) {
      const frames: Frame[] = [];
      hold.keep(chunk, frames);
      return frames;
    },
    end() {
      const frames: Frame[] = [];
      const { bytes, whole } = hold.finish(NOTHING, frames);
      if (bytes.length > 0) frames.push({ bytes, event: undefined, data: whole ? decoder.decode(bytes) : undefined });
      return frames;
    },
  };
}
