import { describe, expect, test } from "bun:test";
import type { LimitVerdict } from "../../../src/core/state-store.ts";
import { GRAINS } from "../../../src/policy/limiter.ts";
import { createMemoryLimits } from "../../../src/shell/state/memory-limits.ts";
import { limit } from "../../policy/limits.ts";

const DAY_MS = 86_400_000;

/** Limits whose time is set by hand. */
function limits(countersMax?: number) {
  let nowMs = 0;
  return {
    ...createMemoryLimits(() => nowMs, countersMax),
    at(ms: number) {
      nowMs = ms;
    },
  };
}

function reservationOf(verdict: LimitVerdict) {
  if (verdict.kind === "refused") throw new Error("refused");
  return verdict.reservation;
}

const perKey = (member: string, window: "minute" | "day" = "minute") => limit({ scope: "key", member, window, limit: 1 });

test("each member has a counter of its own", () => {
  const { reserve, size } = limits();
  expect(["a", "b", "a", "b", "c"].map((member) => reserve([perKey(member)], 0).kind)).toEqual([
    "reserved",
    "reserved",
    "refused",
    "refused",
    "reserved",
  ]);
  expect(size()).toBe(3);
});

test.each([
  ["scope", { scope: "user" }],
  ["member", { member: "other" }],
  ["metric", { metric: "tokens" }],
  ["window", { window: "day" }],
] as const)("limits of another %s are apart", (_, changes) => {
  const { reserve } = limits();
  reserve([perKey("a")], 1);
  expect(reserve([{ ...perKey("a"), ...changes }], 1).kind).toBe("reserved");
});

test("a number that a reload changed counts from what passed before", () => {
  const { reserve } = limits();
  reserve([limit({ limit: 1 })], 0);
  expect(reserve([limit({ limit: 2 })], 0).kind).toBe("reserved");
  expect(reserve([limit({ limit: 2 })], 0)).toMatchObject({ kind: "refused", limit: { limit: 2 } });
});

test("what is reserved is corrected and given back where it was reserved", () => {
  const { reserve, reconcile, giveBack, at } = limits();
  const both = [limit({ limit: 2 }), limit({ metric: "tokens", limit: 100 })];
  const first = reservationOf(reserve(both, 80));
  expect(first).toMatchObject({ limits: both, tokens: 80, atMs: 0 });
  at(1_000);
  reconcile(first, 10);
  const second = reservationOf(reserve(both, 90));
  expect(reserve(both, 0)).toMatchObject({ limit: both[0], retryAfterMs: 59_000 });
  giveBack(second);
  expect(reserve(both, 90).kind).toBe("reserved");
});

test("a refused request leaves no counter behind", () => {
  const { reserve, size } = limits();
  reserve([limit({ limit: 1 })], 0);
  for (let key = 0; key < 100; key++) expect(reserve([limit({ limit: 1 }), perKey(`key-${key}`)], 0).kind).toBe("refused");
  expect(size()).toBe(1);
});

describe("at the maximum of counters", () => {
  test("what has expired makes room, whatever its window", () => {
    const { reserve, size, at } = limits(3);
    reserve([perKey("day", "day")], 0);
    at(1_000);
    reserve([perKey("old")], 0);
    at(50_000);
    reserve([perKey("young")], 0);
    at(61_000);
    reserve([perKey("new")], 0);
    expect(size()).toBe(3);
    expect(["day", "young", "new"].map((member) => reserve([perKey(member, member === "day" ? "day" : "minute")], 0).kind)).toEqual([
      "refused",
      "refused",
      "refused",
    ]);
    expect(reserve([perKey("old")], 0).kind).toBe("reserved");
  });

  test("else what was not used for longest, to a grain of its window", () => {
    const { reserve, size, at } = limits(3);
    const twice = (member: string) => ({ ...perKey(member), limit: 2 });
    for (const [grain, member] of ["a", "b", "c", "a", "d"].entries()) {
      at((grain * 60_000) / GRAINS);
      reserve([twice(member)], 0);
    }
    expect(size()).toBe(3);
    expect(reserve([twice("a")], 0).kind).toBe("refused");
    expect(reserve([twice("b")], 0)).toMatchObject({ kind: "reserved" });
  });

  test.each([
    ["day", "minute"],
    ["minute", "day"],
  ] as const)("whatever its window: a %s before a %s", (older, newer) => {
    const { reserve, at } = limits(2);
    reserve([perKey("a", older)], 0);
    at(1);
    reserve([perKey("b", newer)], 0);
    at(2);
    reserve([perKey("c")], 0);
    expect(reserve([perKey("b", newer)], 0).kind).toBe("refused");
    expect(reserve([perKey("a", older)], 0).kind).toBe("reserved");
  });

  test("keys that were never seen before do not fill the memory", () => {
    const { reserve, size, at } = limits(1_000);
    for (let request = 0; request < 10_000; request++) {
      at(request);
      expect(reserve([limit({ limit: 100_000 }), perKey(`key-${request}`), perKey(`key-${request}`, "day")], 0).kind).toBe("reserved");
      expect(size()).toBeLessThanOrEqual(1_000);
    }
  });

  test("what is gone is neither corrected nor given back", () => {
    const { reserve, reconcile, giveBack, size } = limits(1);
    const gone = reservationOf(reserve([perKey("a")], 5));
    reserve([perKey("b")], 5);
    reconcile(gone, 9);
    giveBack(gone);
    expect(size()).toBe(1);
    expect(reserve([perKey("b")], 5).kind).toBe("refused");
  });
});

test("the table shrinks after a rush", () => {
  const { reserve, size, at } = limits();
  for (let key = 0; key < 1_000; key++) reserve([perKey(`key-${key}`)], 0);
  at(DAY_MS);
  for (let key = 0; key < 900; key++) reserve([perKey(`later-${key}`)], 0);
  expect(size()).toBeLessThan(1_000);
});

test("names of any length have counters of their own and are kept short", () => {
  const { reserve, countedAfter } = limits();
  const long = "x".repeat(100_000);
  expect([`${long}1`, `${long}2`, `${long}1`].map((member) => reserve([perKey(member)], 0).kind)).toEqual([
    "reserved",
    "reserved",
    "refused",
  ]);
  expect([...countedAfter(-1)].map((counted) => counted.limit.member.length)).toEqual([71, 71]);
});
