import type { WireFault } from "../core/fault.ts";
import { textOf } from "./helpers/parameters.ts";
import { ALWAYS, passPiece } from "./helpers/wire.ts";

export const halfClose: WireFault = {
  name: "half_close",
  level: "wire",
  summary: "FIN, but the connection stays open: what the client sends on it is taken and never answered",
  terminal: true,
  parameters: {
    at: {
      type: "choice",
      choices: ["start", "head", "end"],
      default: "end",
      summary: "start: before any byte; head: behind the headers; end: behind the whole response",
    },
  },
  needsRawSockets: ALWAYS,
  acts: "wire",
  start({ parameters }) {
    const at = textOf(parameters, "at");
    return (piece) => {
      if (at === "start") return [{ kind: "half_close" }];
      const isPlace = piece.part === (at === "head" ? "head" : "end");
      return isPlace ? [passPiece(piece), { kind: "half_close" }] : [passPiece(piece)];
    };
  },
};
