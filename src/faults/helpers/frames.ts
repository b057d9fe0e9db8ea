import type { Dialect } from "../../core/dialect.ts";
import type { Action, FaultContext, FrameFault } from "../../core/fault.ts";
import type { Frame, Framing } from "../../core/frame.ts";

/** The frame as it came. */
export function pass(frame: Frame): Action {
  return { kind: "write", bytes: frame.bytes, frame };
}

export const END: Action = { kind: "end" };

export const PASS_THROUGH: FrameFault = { onFrame: (frame) => [pass(frame)], onEnd: () => [END] };

/** A fault over the frames of a dialect. A body of no known dialect has no such frames and goes through. */
export function overDialect(context: FaultContext, start: (dialect: Dialect) => FrameFault): FrameFault {
  return context.dialect === undefined ? PASS_THROUGH : start(context.dialect);
}

/** Writes the frames of one stream so that it stays well framed whatever is left out or put in. */
export type FrameEditor = {
  /** The frame as it came, unless frames before it were left out or put in and its bytes show its place. */
  readonly pass: (frame: Frame) => readonly Action[];
  /** The frame with other contents. */
  readonly rewrite: (frame: Frame, event: string | undefined, data: string) => readonly Action[];
  readonly drop: (frame: Frame) => readonly Action[];
  /** A frame that has been passed, once more. */
  readonly repeat: (frame: Frame) => readonly Action[];
};

export function frameEditor(framing: Framing): FrameEditor {
  let framesRead = 0;
  let framesWritten = 0;
  // Only in a JSON array do the bytes of an element tell whether it is the first.
  const showsPlace = framing.name === "json-array";

  const render = (event: string | undefined, data: string): readonly Action[] => {
    const bytes = framing.render(event, data, framesWritten++);
    return [pass({ bytes, event, data })];
  };

  return {
    pass(frame) {
      if (frame.data === undefined) {
        // The bracket that opens an array is part of its first element; here it closes one that has none left.
        const lostOpening = showsPlace && framesRead > 0 && framesWritten === 0;
        return lostOpening ? [...render(undefined, ""), pass(frame)] : [pass(frame)];
      }
      const wasFirst = framesRead++ === 0;
      if (showsPlace && wasFirst !== (framesWritten === 0)) return render(frame.event, frame.data);
      framesWritten++;
      return [pass(frame)];
    },
    rewrite(_frame, event, data) {
      framesRead++;
      return render(event, data);
    },
    drop() {
      framesRead++;
      return [];
    },
    repeat(frame) {
      if (showsPlace && frame.data !== undefined) return render(frame.event, frame.data);
      framesWritten++;
      return [pass(frame)];
    },
  };
}
