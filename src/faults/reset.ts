import type { BeforeFault } from "../core/fault.ts";

export const reset: BeforeFault = {
  name: "reset",
  level: "wire",
  summary: "the connection is reset (RST) before any byte",
  terminal: true,
  parameters: {},
  acts: "before",
  plan: () => [{ kind: "reset" }],
};
