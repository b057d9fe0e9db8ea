import type { Action, BodyFault } from "../core/fault.ts";
import { END, pass } from "./helpers/frames.ts";
import { numberOf } from "./helpers/parameters.ts";

/** How much time one piece stands for: short enough to look like a flow, long enough for timers to be right. */
const PIECE_MS = 50;

const BYTES_PER_SECOND_USUAL = 1024;

export const slow: BodyFault = {
  name: "slow",
  level: "wire",
  summary: "the body comes at so many bytes per second; adds to other faults",
  terminal: false,
  parameters: {
    rate: { type: "rate", default: "1kb", summary: "bytes per second" },
  },
  acts: "body",
  over: "chunks",
  start({ parameters }) {
    const rate = numberOf(parameters, "rate") ?? BYTES_PER_SECOND_USUAL;
    const pieceBytes = Math.max(1, Math.round((rate * PIECE_MS) / 1000));
    const delay = (bytes: number): Action => ({ kind: "delay", ms: (bytes * 1000) / rate });
    return {
      onFrame(frame) {
        const { bytes } = frame;
        if (bytes.length <= pieceBytes) return [delay(bytes.length), pass(frame)];
        const actions: Action[] = [];
        for (let start = 0; start < bytes.length; start += pieceBytes) {
          const piece = bytes.subarray(start, start + pieceBytes);
          actions.push(delay(piece.length), { kind: "write", bytes: piece });
        }
        return actions;
      },
      onEnd: () => [END],
    };
  },
};
