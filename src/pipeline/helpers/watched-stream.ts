import type { Chunks } from "../../core/exchange.ts";
import type { Frame, Framing } from "../../core/frame.ts";

const BRACE = 0x7b;
const decoder = new TextDecoder();

export type StreamWatch = {
  /** Gives the frame's payload as it goes on; undefined leaves it out. */
  readonly onFrame: (frame: Frame) => string | undefined;
  /** Once: `left`: nobody reads on. */
  readonly onEnd: (how: "ended" | "cut" | "left") => void;
};

/** The bytes as they come, while somebody looks at their frames. With `rewrites` frames go on as the watch gives them. */
export function watchedStream(source: Chunks, framing: Framing, watch: StreamWatch, rewrites: boolean): Chunks {
  const splitter = framing.splitter();
  let hasEnded = false;
  let written = 0;
  const end = (how: "ended" | "cut" | "left") => {
    if (hasEnded) return;
    hasEnded = true;
    watch.onEnd(how);
  };
  const seen = (frames: readonly Frame[]): readonly Uint8Array[] => {
    const pieces: Uint8Array[] = [];
    for (const frame of frames) {
      const { data, event, bytes } = frame;
      // Gemini puts its errors bare between the events of a stream.
      const said = data ?? (bytes[0] === BRACE ? decoder.decode(bytes) : undefined);
      const goesOn = said === undefined ? undefined : watch.onFrame(said === data ? frame : { ...frame, data: said });
      if (!rewrites) continue;
      if (data === undefined || goesOn === data) pieces.push(bytes);
      else if (goesOn !== undefined) pieces.push(framing.render(event, goesOn, written));
      written++;
    }
    return pieces;
  };
  const next = async (): Promise<{ readonly bytes: Uint8Array | undefined; readonly isLast: boolean }> => {
    const chunk = await source.read();
    const pieces = seen(chunk === undefined ? splitter.end() : splitter.push(chunk));
    if (chunk === undefined) end("ended");
    if (!rewrites) return { bytes: chunk, isLast: chunk === undefined };
    return { bytes: pieces.length === 1 ? pieces[0] : Buffer.concat(pieces), isLast: chunk === undefined };
  };
  let isOver = false;
  return {
    async read() {
      try {
        while (!isOver) {
          const { bytes, isLast } = await next();
          isOver = isLast;
          if (bytes !== undefined && bytes.length > 0) return bytes;
        }
        return undefined;
      } catch (error) {
        seen(splitter.end());
        end("cut");
        throw error;
      }
    },
    cancel() {
      end("left");
      source.cancel();
    },
  };
}
