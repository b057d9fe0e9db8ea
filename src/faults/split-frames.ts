import type { Action, BodyFault } from "../core/fault.ts";
import { END } from "./helpers/frames.ts";
import { numberOf } from "./helpers/parameters.ts";

export const splitFrames: BodyFault = {
  name: "split_frames",
  level: "stream",
  summary: "all bytes as they are, but chunk borders fall inside frames and inside UTF-8 characters",
  terminal: true,
  parameters: {
    gap: { type: "duration", default: "2ms", minimum: 0, summary: "pause between the pieces, which keeps them separate chunks" },
  },
  acts: "body",
  over: "frames",
  start({ parameters }) {
    const gap: Action = { kind: "delay", ms: numberOf(parameters, "gap") ?? 0 };
    return {
      onFrame({ bytes }) {
        const borders = [...bordersOf(bytes), bytes.length];
        return borders.flatMap((end, piece): Action[] => [{ kind: "write", bytes: bytes.subarray(borders[piece - 1] ?? 0, end) }, gap]);
      },
      onEnd: () => [END],
    };
  },
};

/** Characters of one frame that are split; a frame of many thousands would otherwise take minutes. */
const SPLIT_CHARACTERS_MAX = 8;

/** Where to split: in the first word (`data:`), in the middle, before the last byte (the second newline), in characters. */
function bordersOf(bytes: Uint8Array): readonly number[] {
  const borders = new Set([2, bytes.length >> 1, bytes.length - 1]);
  let split = 0;
  for (let i = 0; i + 1 < bytes.length && split < SPLIT_CHARACTERS_MAX; i++) {
    // A lead byte of two to four (RFC 3629 section 3).
    if ((bytes[i] ?? 0) >= 0xc0) {
      borders.add(i + 1);
      split++;
    }
  }
  return [...borders].filter((border) => border > 0 && border < bytes.length).sort((a, b) => a - b);
}
