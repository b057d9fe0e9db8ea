import type { Frame } from "../core/frame.ts";

/** The bytes of a frame that is not complete yet. */
export type Hold = {
  /** Keeps a copy of the bytes. What would go beyond the limit comes out first, in frames without data. */
  readonly keep: (bytes: Uint8Array, frames: Frame[]) => void;
  /** Ends the frame with these bytes and begins an empty one. `whole` is false where a part of the frame is out already. */
  readonly finish: (bytes: Uint8Array, frames: Frame[]) => { readonly bytes: Uint8Array; readonly whole: boolean };
  readonly isEmpty: () => boolean;
};

const NOTHING = new Uint8Array();
const CAPACITY_BYTES_MIN = 1024;

/**
 * A frame above the limit comes out in pieces of exactly `bytesMax`, so that its pieces do not depend on how the bytes
 * were chunked. The buffer doubles as it fills: many small chunks cost no more than one copy each.
 */
export function createHold(bytesMax: number): Hold {
  let buffer: Uint8Array = NOTHING;
  let length = 0;
  let whole = true;

  const append = (bytes: Uint8Array) => {
    if (bytes.length === 0) return;
    if (length + bytes.length > buffer.length) {
      const grown = new Uint8Array(Math.min(bytesMax, Math.max(CAPACITY_BYTES_MIN, buffer.length * 2, length + bytes.length)));
      grown.set(buffer.subarray(0, length));
      buffer = grown;
    }
    buffer.set(bytes, length);
    length += bytes.length;
  };
  const take = () => {
    const taken = buffer.subarray(0, length);
    buffer = NOTHING;
    length = 0;
    return taken;
  };

  const keep: Hold["keep"] = (bytes, frames) => {
    let rest = bytes;
    while (length + rest.length > bytesMax) {
      const room = bytesMax - length;
      append(rest.subarray(0, room));
      rest = rest.subarray(room);
      frames.push({ bytes: take(), event: undefined, data: undefined });
      whole = false;
    }
    append(rest);
  };

  return {
    keep,
    finish(bytes, frames) {
      // Most frames come in one chunk: those are views of it, not copies.
      if (length === 0 && whole && bytes.length <= bytesMax) return { bytes, whole };
      keep(bytes, frames);
      const finished = { bytes: take(), whole };
      whole = true;
      return finished;
    },
    isEmpty: () => length === 0 && whole,
  };
}
