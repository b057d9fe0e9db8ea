import type { Dialect } from "../../core/dialect.ts";
import type { StreamPosition } from "../../core/fault.ts";
import type { Frame } from "../../core/frame.ts";

/** What of a body has come by. */
export type Progress = {
  /** Frames with data. */
  readonly frames: number;
  /** Frames that brought output; counted only for a position in tokens, since each has to be parsed for it. */
  readonly tokens: number;
  readonly bytes: number;
};

export const NO_PROGRESS: Progress = { frames: 0, tokens: 0, bytes: 0 };

/** The progress towards a position with one frame more. */
export function advance(progress: Progress, frame: Frame, position: StreamPosition, dialect: Dialect): Progress {
  return {
    frames: progress.frames + (frame.data === undefined ? 0 : 1),
    tokens: progress.tokens + (position.unit === "tokens" && dialect.isContent(frame) ? 1 : 0),
    bytes: progress.bytes + frame.bytes.length,
  };
}

/** Has so much come by? Zero of anything is reached before the first frame. */
export function positionReached(position: StreamPosition, progress: Progress, elapsedMs: number): boolean {
  return (position.unit === "ms" ? elapsedMs : progress[position.unit]) >= position.count;
}
