import type { WireFault } from "../core/fault.ts";
import { ALWAYS, bodyEndOf, headText, passPiece } from "./helpers/wire.ts";

export const hangAfterHeaders: WireFault = {
  name: "hang_after_headers",
  level: "wire",
  summary: "status and headers come, the body never does",
  terminal: true,
  parameters: {},
  needsRawSockets: ALWAYS,
  acts: "wire",
  start:
    ({ exchange }) =>
    (piece) => {
      // Whoever waits for no body would not notice.
      const isWhole = piece.part !== "head" || (bodyEndOf(headText(piece), exchange.method) ?? 0) === 0;
      return isWhole ? [passPiece(piece)] : [passPiece(piece), { kind: "hang" }];
    },
};
