import type { Dialect } from "../../core/dialect.ts";
import type { ParameterSpec, StreamPosition } from "../../core/fault.ts";
import type { Frame } from "../../core/frame.ts";
import { advance, NO_PROGRESS, positionReached } from "./position.ts";

export const ONE_FRAME_AFTER: ParameterSpec = {
  type: "position",
  summary: "frames, tokens, bytes or time that come before it; default: the first frame with output",
};

/** Picks one frame of a stream: the first after the position, or the first that brings output; only `suitable` ones. */
export function oneFrame(
  asked: StreamPosition | undefined,
  dialect: Dialect,
  suitable: (frame: Frame) => boolean,
): (frame: Frame, elapsedMs: number) => boolean {
  let progress = NO_PROGRESS;
  let found = false;
  return (frame, elapsedMs) => {
    if (found) return false;
    if (asked === undefined) found = suitable(frame) && dialect.isContent(frame);
    else {
      found = suitable(frame) && positionReached(asked, progress, elapsedMs);
      progress = advance(progress, frame, asked, dialect);
    }
    return found;
  };
}
