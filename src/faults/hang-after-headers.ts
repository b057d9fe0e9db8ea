import type { WireFault } from "../core/fault.ts";
import { ALWAYS, passPiece } from "./helpers/wire.ts";

export const hangAfterHeaders: WireFault = {
  name: "hang_after_headers",
  level: "wire",
  summary: "status and headers come, the body never does",
  terminal: true,
  parameters: {},
  needsRawSockets: ALWAYS,
  acts: "wire",
  start: () => (piece) => [passPiece(piece), { kind: "hang" }],
};
