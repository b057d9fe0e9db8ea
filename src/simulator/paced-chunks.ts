import type { Clock } from "../core/clock.ts";
import { BodyCut, type Chunks } from "../core/exchange.ts";

/** Frames that have no time between them go out together up to here: every write costs more than the frames in it. */
const CHUNK_BYTES_MAX = 16 * 1024;

/** Frames with time between them: each is a chunk of its own, and nothing waits that need not. */
export function pacedChunks(
  frames: readonly Uint8Array[],
  { ttftMs, betweenMs }: { readonly ttftMs: number; readonly betweenMs: number },
  clock: Clock,
  signal: AbortSignal,
): Chunks {
  const chunks = betweenMs > 0 ? frames : gathered(frames);
  const cancelled = new AbortController();
  const stop = betweenMs > 0 || ttftMs > 0 ? AbortSignal.any([signal, cancelled.signal]) : signal;
  let next = 0;
  return {
    async read() {
      const waitMs = next === 0 ? ttftMs : betweenMs;
      if (waitMs > 0 && next < chunks.length && !stop.aborted) await clock.sleep(waitMs, stop);
      if (cancelled.signal.aborted) return undefined;
      if (signal.aborted) throw new BodyCut("close");
      return chunks[next++];
    },
    cancel() {
      cancelled.abort();
    },
  };
}

function gathered(frames: readonly Uint8Array[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let first = 0;
  let bytes = 0;
  const add = (end: number) => {
    const chunk = new Uint8Array(bytes);
    let at = 0;
    for (const frame of frames.slice(first, end)) {
      chunk.set(frame, at);
      at += frame.length;
    }
    chunks.push(chunk);
    first = end;
    bytes = 0;
  };
  for (const [index, frame] of frames.entries()) {
    if (bytes > 0 && bytes + frame.length > CHUNK_BYTES_MAX) add(index);
    bytes += frame.length;
  }
  if (bytes > 0) add(frames.length);
  return chunks;
}
