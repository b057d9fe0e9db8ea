import type { Action, WireFault } from "../core/fault.ts";
import { numberOf } from "./helpers/parameters.ts";
import { ALWAYS, passPiece, rewritePiece } from "./helpers/wire.ts";

export const slowHead: WireFault = {
  name: "slow_head",
  level: "wire",
  summary: "status line and headers come byte by byte; adds to other faults",
  terminal: false,
  parameters: {
    gap: { type: "duration", default: "20ms", minimum: 0, summary: "between two bytes" },
  },
  needsRawSockets: ALWAYS,
  acts: "wire",
  start({ parameters }) {
    const ms = numberOf(parameters, "gap") ?? 0;
    return (piece) => {
      if (piece.part !== "head") return [passPiece(piece)];
      return Array.from(piece.bytes).flatMap((_, index): Action[] => [
        // Still a part of the head: the pauses of two such faults add up.
        rewritePiece(piece, piece.bytes.subarray(index, index + 1)),
        { kind: "delay", ms },
      ]);
    };
  },
};
