import type { Dialect } from "../../core/dialect.ts";
import type { Action, FrameFault, ParameterSpec, StreamPosition } from "../../core/fault.ts";
import { END, pass } from "./frames.ts";
import { advance, NO_PROGRESS, positionReached } from "./position.ts";

export const INTERRUPTION_AFTER: ParameterSpec = {
  type: "position",
  summary: "frames, tokens, bytes or time that still come; default: 1 token",
};

/** In the middle of any answer, however coarse its frames are. */
const USUAL_POSITION: StreamPosition = { unit: "tokens", count: 1 };

/**
 * Lets a stream run to a position and puts one action there. A delay is waited out and the stream goes on; any other
 * action is its end. A stream that ends before the position that was asked for is left alone; without such a position
 * the action comes in any case, before the terminal event at the latest.
 */
export function interruptedAt(asked: StreamPosition | undefined, dialect: Dialect, interruption: Action): FrameFault {
  const position = asked ?? USUAL_POSITION;
  const goesOn = interruption.kind === "delay";
  let progress = NO_PROGRESS;
  let interrupted = false;

  const interrupt = (before: readonly Action[], after: readonly Action[]): readonly Action[] => {
    interrupted = true;
    return goesOn ? [...before, interruption, ...after] : [...before, interruption];
  };

  return {
    onFrame(frame, elapsedMs) {
      if (interrupted) return goesOn ? [pass(frame)] : [];
      const isLast = asked === undefined && dialect.isTerminal(frame);
      if (isLast || positionReached(position, progress, elapsedMs)) return interrupt([], [pass(frame)]);
      const bytesLeft = position.count - progress.bytes;
      progress = advance(progress, frame, position, dialect);
      if (position.unit === "bytes" && frame.bytes.length > bytesLeft) {
        return interrupt([write(frame.bytes.subarray(0, bytesLeft))], [write(frame.bytes.subarray(bytesLeft))]);
      }
      return positionReached(position, progress, elapsedMs) ? interrupt([pass(frame)], []) : [pass(frame)];
    },
    onEnd() {
      if (interrupted) return [END];
      return asked === undefined || positionReached(position, progress, 0) ? interrupt([], [END]) : [END];
    },
  };
}

function write(bytes: Uint8Array): Action {
  return { kind: "write", bytes };
}
