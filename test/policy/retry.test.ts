import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FAILURE_CLASSES, type Failure, type FailureClass } from "../../src/core/failure.ts";
import {
  afterFailure,
  BACKOFF_MS_MAX,
  NO_RETRIES,
  type RetryDecision,
  type RetrySettings,
  type RetryState,
} from "../../src/policy/retry.ts";

const SETTINGS: RetrySettings = {
  maxTransientRetries: 2,
  maxRateLimitRetries: 2,
  transientDelayMs: 500,
  rateLimitDelayMs: 1_000,
  retryAfterMaxMs: 60_000,
};

function failed(of: FailureClass, rest: Partial<Failure> = {}): Failure {
  return { class: of, isSilent: false, retryAfterMs: undefined, ...rest };
}

/** The waits of a target that always fails so, then why it ended. */
function run(failure: Failure, random: number, settings = SETTINGS): readonly (number | string)[] {
  const story: (number | string)[] = [];
  let state = NO_RETRIES;
  for (;;) {
    const decision = afterFailure(state, failure, settings, random);
    if (decision.kind === "stop") return [...story, decision.reason];
    story.push(decision.waitMs);
    state = decision.state;
  }
}

describe("waits", () => {
  test.each<readonly [string, Failure, number, Partial<RetrySettings>, readonly (number | string)[]]>([
    ["degraded doubles", failed("degraded"), 0, {}, [500, 1_000, "exhausted"]],
    ["degraded with all of its jitter", failed("degraded"), 0.999999, {}, [749.99975, 1_499.9995, "exhausted"]],
    ["degraded with half of its jitter", failed("degraded"), 0.5, {}, [625, 1_250, "exhausted"]],
    ["a rate limit doubles from a second", failed("local_rate_limit"), 0, {}, [1_000, 2_000, "exhausted"]],
    ["and has jitter", failed("global_rate_limit"), 0.5, {}, [1_250, 2_500, "exhausted"]],
    ["a rate limit waits what it is told to", failed("local_rate_limit", { retryAfterMs: 7_000 }), 0.9, {}, [7_000, 7_000, "exhausted"]],
    ["less than usual, too", failed("local_rate_limit", { retryAfterMs: 20 }), 0.9, {}, [20, 20, "exhausted"]],
    ["up to the maximum", failed("global_rate_limit", { retryAfterMs: 60_000 }), 0, {}, [60_000, 60_000, "exhausted"]],
    ["and not beyond it", failed("global_rate_limit", { retryAfterMs: 60_001 }), 0, {}, ["retry_after_too_long"]],
    ["a degraded target can lengthen the wait", failed("degraded", { retryAfterMs: 3_000 }), 0, {}, [3_000, 3_000, "exhausted"]],
    ["but not shorten it", failed("degraded", { retryAfterMs: 600 }), 0, {}, [600, 1_000, "exhausted"]],
    ["and only so far", failed("degraded", { retryAfterMs: 86_400_000 }), 0, {}, [60_000, 60_000, "exhausted"]],
    ["0 transient retries are none", failed("degraded"), 0, { maxTransientRetries: 0 }, ["exhausted"]],
    ["0 rate limit retries are none", failed("local_rate_limit"), 0, { maxRateLimitRetries: 0 }, ["exhausted"]],
    ["a silent target is left", failed("degraded", { isSilent: true }), 0, {}, ["silent"]],
    ["a final answer is final", failed("degraded", { isFinal: true }), 0, {}, ["useless"]],
    ["a final rate limit too", failed("local_rate_limit", { isFinal: true, retryAfterMs: 10 }), 0, {}, ["useless"]],
  ])("%s", (_name, failure, random, changes, expected) => {
    expect(run(failure, random, { ...SETTINGS, ...changes })).toEqual(expected);
  });

  test.each(["quota", "auth", "context_window", "content_filter", "client"] as const)("%s is never retried", (of) => {
    expect(run(failed(of, { retryAfterMs: 1 }), 0)).toEqual(["useless"]);
  });
});

test("the two kinds are counted apart", () => {
  let state: RetryState = NO_RETRIES;
  const kinds = ["degraded", "local_rate_limit", "degraded", "global_rate_limit", "degraded"] as const;
  const decisions = kinds.map((of): RetryDecision["kind"] => {
    const decision = afterFailure(state, failed(of), SETTINGS, 0);
    if (decision.kind === "retry") state = decision.state;
    return decision.kind;
  });
  expect(decisions).toEqual(["retry", "retry", "retry", "retry", "stop"]);
});

const anyFailure: fc.Arbitrary<Failure> = fc.record({
  class: fc.constantFrom(...FAILURE_CLASSES),
  isSilent: fc.boolean(),
  retryAfterMs: fc.option(fc.double({ min: 1, max: 1e12, noNaN: true }), { nil: undefined }),
  isFinal: fc.boolean(),
});

const anySettings: fc.Arbitrary<RetrySettings> = fc.record({
  maxTransientRetries: fc.nat(40),
  maxRateLimitRetries: fc.nat(40),
  transientDelayMs: fc.nat(10_000),
  rateLimitDelayMs: fc.nat(10_000),
  retryAfterMaxMs: fc.nat(600_000),
});

test("however a target fails, the attempts and every wait are bounded", () => {
  fc.assert(
    fc.property(
      fc.array(anyFailure, { maxLength: 100 }),
      anySettings,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, settings, random) => {
        let state = NO_RETRIES;
        let attempts = 1;
        for (const failure of failures) {
          const decision = afterFailure(state, failure, settings, random);
          if (decision.kind === "stop") break;
          expect(decision.waitMs).toBeGreaterThanOrEqual(0);
          expect(decision.waitMs).toBeLessThanOrEqual(Math.max(BACKOFF_MS_MAX * 1.5, settings.retryAfterMaxMs));
          state = decision.state;
          attempts++;
        }
        expect(attempts).toBeLessThanOrEqual(1 + settings.maxTransientRetries + settings.maxRateLimitRetries);
      },
    ),
  );
});
