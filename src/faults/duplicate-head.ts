import type { WireFault } from "../core/fault.ts";
import { ALWAYS, passPiece } from "./helpers/wire.ts";

export const duplicateHead: WireFault = {
  name: "duplicate_head",
  level: "wire",
  summary: "status line and headers come twice, the body once",
  terminal: true,
  parameters: {},
  needsRawSockets: ALWAYS,
  acts: "wire",
  start: () => (piece) => (piece.part === "head" ? [passPiece(piece), passPiece(piece)] : [passPiece(piece)]),
};
