import type { BeforeFault } from "../core/fault.ts";
import { ALWAYS } from "./helpers/wire.ts";

export const close: BeforeFault = {
  name: "close",
  level: "wire",
  summary: "the connection is closed (FIN) before any byte",
  terminal: true,
  parameters: {},
  needsRawSockets: ALWAYS,
  acts: "before",
  plan: () => [{ kind: "close" }],
};
