import type { FrameFault } from "../../core/fault.ts";
import type { Frame, Framing } from "../../core/frame.ts";
import { END, frameEditor } from "./frames.ts";

/** Runs a dialect's rewriter over the frames of one answer. What it gives back unchanged keeps its bytes. */
export function rewritten(framing: Framing, rewrite: (payload: string) => string | undefined): FrameFault {
  const editor = frameEditor(framing);
  return {
    onFrame(frame) {
      if (frame.data === undefined) return editor.pass(frame);
      const data = rewrite(frame.data);
      if (data === undefined) return editor.drop(frame);
      return data === frame.data ? editor.pass(frame) : editor.rewrite(frame, eventOf(frame, data), data);
    },
    onEnd: () => [END],
  };
}

/** Where the event's name repeats the payload's `type`, it goes on doing so. */
function eventOf(frame: Frame, data: string): string | undefined {
  return frame.event !== undefined && frame.event === typeOf(frame.data) ? typeOf(data) : frame.event;
}

function typeOf(data: string | undefined): string | undefined {
  try {
    const value: unknown = JSON.parse(data ?? "");
    return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" ? value.type : undefined;
  } catch {
    return undefined;
  }
}
