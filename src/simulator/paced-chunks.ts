import type { Clock } from "../core/clock.ts";
import { BodyCut, type Chunks } from "../core/exchange.ts";
import type { Gone } from "../core/gone.ts";

/** Frames that have no time between them go out together up to here: every write costs more than the frames in it. */
const CHUNK_BYTES_MAX = 16 * 1024;

/** Frames with time between them: each is a chunk of its own, and nothing waits that need not. */
export function pacedChunks(
  frames: readonly Uint8Array[],
  { ttftMs, betweenMs }: { readonly ttftMs: number; readonly betweenMs: number },
  clock: Clock,
  signal: Gone,
): Chunks {
  const chunks = betweenMs > 0 ? frames : gathered(frames);
  const stop = new AbortController();
  if (betweenMs > 0 || ttftMs > 0) signal.addEventListener("abort", () => stop.abort());
  let isCancelled = false;
  let next = 0;
  return {
    async read() {
      const waitMs = next === 0 ? ttftMs : betweenMs;
      if (waitMs > 0 && next < chunks.length && !signal.aborted) await clock.sleep(waitMs, stop.signal);
      if (isCancelled) return undefined;
      if (signal.aborted) throw new BodyCut("close");
      return chunks[next++];
    },
    cancel() {
      isCancelled = true;
      stop.abort();
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
