import type { BeforeFault } from "../core/fault.ts";
import { jittered, numberOf } from "./helpers/parameters.ts";

export const latency: BeforeFault = {
  name: "latency",
  level: "wire",
  summary: "a delay before the request goes on; adds to other faults",
  terminal: false,
  parameters: {
    for: { type: "duration", default: "1s", minimum: 0, summary: "how long" },
    jitter: { type: "duration", default: "0ms", minimum: 0, summary: "give or take up to this much, uniformly" },
  },
  acts: "before",
  plan: ({ parameters, random }) => [
    { kind: "delay", ms: jittered(numberOf(parameters, "for") ?? 0, numberOf(parameters, "jitter") ?? 0, random) },
  ],
};
