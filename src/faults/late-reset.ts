import type { WireFault } from "../core/fault.ts";
import { ALWAYS, passPiece } from "./helpers/wire.ts";

export const lateReset: WireFault = {
  name: "late_reset",
  level: "wire",
  summary: "the whole response, then RST",
  terminal: true,
  parameters: {},
  needsRawSockets: ALWAYS,
  acts: "wire",
  start: () => (piece) => (piece.part === "end" ? [passPiece(piece), { kind: "reset" }] : [passPiece(piece)]),
};
