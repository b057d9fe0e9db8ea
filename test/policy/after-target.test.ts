import { describe, expect, test } from "bun:test";
import { FAILURE_CLASSES, type Failure, type FailureClass } from "../../src/core/failure.ts";
import { type AfterTarget, afterTarget, cooldownOf } from "../../src/policy/after-target.ts";

const failure = (of: FailureClass, retryAfterMs?: number): Failure => ({ class: of, isSilent: false, retryAfterMs });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("what follows a target that failed", () => {
  /** Of the first target, and of a later one. */
  const STEPS: Readonly<Record<FailureClass, readonly [first: AfterTarget, later: AfterTarget]>> = {
    degraded: ["next", "next"],
    global_rate_limit: ["next", "next"],
    local_rate_limit: ["next", "next"],
    quota: ["next", "next"],
    auth: ["next", "next"],
    context_window: ["larger", "larger"],
    content_filter: ["stop", "stop"],
    client: ["stop", "next"],
  };

  for (const of of FAILURE_CLASSES) {
    test(of, () => {
      const step = (isFirst: boolean) => afterTarget({ failure: failure(of), status: 400, isFirst }, { passesContentFilter: false });
      expect([step(true), step(false)]).toEqual([...STEPS[of]]);
    });
  }

  test("a refusal for its content is carried on where the route says so", () => {
    expect(afterTarget({ failure: failure("content_filter"), status: 400, isFirst: true }, { passesContentFilter: true })).toBe("next");
  });

  test.each([403, 404, 405, 410, 415, 501])("what the first target does not have (%d), another may have", (status) => {
    expect(afterTarget({ failure: failure("client"), status, isFirst: true }, { passesContentFilter: false })).toBe("next");
  });
});

describe("how long a target is left alone", () => {
  const route = { cooldownMs: MINUTE, cooldownMsMax: HOUR };

  test.each([
    ["local_rate_limit", undefined, MINUTE],
    ["local_rate_limit", 7_000, 7_000],
    ["global_rate_limit", 90_000, 90_000],
    // Three days, as a provider once said.
    ["global_rate_limit", 72 * HOUR, HOUR],
    ["quota", undefined, 10 * MINUTE],
    ["quota", 5_000, 5_000],
    ["quota", 24 * HOUR, HOUR],
    ["auth", undefined, HOUR],
    ["auth", 1_000, HOUR],
  ] as const)("after %s, asked for %p ms", (of, retryAfterMs, ms) => {
    expect(cooldownOf(failure(of, retryAfterMs), 401, route)).toEqual({ reason: of, ms });
  });

  test.each(["degraded", "context_window", "content_filter", "client"] as const)("not at all after %s", (of) => {
    expect(cooldownOf(failure(of, 5_000), 500, route)).toBeUndefined();
  });

  test("for a moment where this one request was forbidden: the key may be right", () => {
    expect(cooldownOf(failure("auth"), 403, route)).toEqual({ reason: "auth", ms: MINUTE });
  });

  test("never longer than the route allows", () => {
    const short = { cooldownMs: MINUTE, cooldownMsMax: 2_000 };
    for (const of of ["local_rate_limit", "quota", "auth"] as const) expect(cooldownOf(failure(of), 403, short)?.ms).toBe(2_000);
  });
});
