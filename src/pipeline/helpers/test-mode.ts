import { randomStream } from "../../core/random.ts";
import type { Rule } from "../../core/rule.ts";
import { faultByName } from "../../faults/index.ts";
import type { PlannedFault } from "../decide.ts";

export const TEST_MODES = ["force_degraded", "force_transient_recover"] as const;
export type TestMode = (typeof TEST_MODES)[number];

/** The fault that a request asks for by itself, as if a rule on the target's side had chosen it. */
export function testModeFault(mode: TestMode, seed: number): PlannedFault | undefined {
  const fault = faultByName(mode);
  if (fault === undefined) return undefined;
  const rule: Rule = {
    id: "test-mode",
    generation: 0,
    fault: mode,
    amount: { kind: "all" },
    aim: {},
    parameters: {},
    side: "upstream",
    text: mode,
    setMonotonicMs: 0,
    matched: 0,
    fired: 0,
  };
  return { rule, fault, random: randomStream(seed, `test-mode/${mode}`) };
}
