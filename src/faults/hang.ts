import type { BeforeFault } from "../core/fault.ts";

export const hang: BeforeFault = {
  name: "hang",
  level: "wire",
  summary: "no answer, not even headers, until the client leaves",
  terminal: true,
  parameters: {},
  acts: "before",
  plan: () => [{ kind: "hang" }],
};
