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
    const reached = asked === undefined ? dialect.isContent(frame) : positionReached(asked, progress, elapsedMs);
    progress = advance(progress, frame, dialect);
    if (found || !reached || !suitable(frame)) return false;
    found = true;
    return true;
  };
}
