import fc from "fast-check";
import type { BreakerOutcome } from "../../src/core/state-store.ts";
import { type BreakerSettings, PROBE_MS_MAX } from "../../src/policy/breaker.ts";

/** What can happen to a circuit. `which` chooses one of the tickets that were ever given, late ones and settled ones too. */
export type BreakerEvent =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "admit" }
  | { readonly kind: "settle"; readonly which: number; readonly outcome: BreakerOutcome }
  | { readonly kind: "reset" }
  | { readonly kind: "open" };

const OUTCOMES: readonly BreakerOutcome[] = ["success", "failure", "global_rate_limit", "neutral"];

export const anySettings: fc.Arbitrary<BreakerSettings> = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 5 }),
  windowMs: fc.constantFrom(1_000, 5_000, 120_000),
  cooldownMs: fc.constantFrom(1, 1_000, 10_000, 300_000),
  escalationMs: fc.constantFrom(0, 500, 3_000, 60_000),
});

/** The newest ticket is the likeliest, so that probes are settled; waits fall on the edges of the settings. */
export function eventsFor({ windowMs, cooldownMs, escalationMs }: BreakerSettings): fc.Arbitrary<readonly BreakerEvent[]> {
  const edges = [windowMs, cooldownMs, escalationMs, PROBE_MS_MAX].flatMap((ms) => [ms - 1, ms, ms + 1]).filter((ms) => ms >= 0);
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.oneof(fc.constantFrom(...edges), fc.nat(400)) }) },
      { weight: 8, arbitrary: fc.constant({ kind: "admit" } as const) },
      {
        weight: 10,
        arbitrary: fc.record({
          kind: fc.constant("settle"),
          which: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(30) }),
          outcome: fc.oneof(
            { weight: 3, arbitrary: fc.constant<BreakerOutcome>("failure") },
            { weight: 4, arbitrary: fc.constantFrom(...OUTCOMES) },
          ),
        }),
      },
      { weight: 1, arbitrary: fc.constantFrom<BreakerEvent>({ kind: "reset" }, { kind: "open" }) },
    ) as fc.Arbitrary<BreakerEvent>,
    { maxLength: 120, size: "max" },
  );
}

export const anyRun = anySettings.chain((settings) => eventsFor(settings).map((events) => ({ settings, events })));
