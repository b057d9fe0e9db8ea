import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createIds, firstIdOf, IDS_PER_MS } from "../../../src/shell/cost/ledger-ids.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 21);

describe("ids of rows", () => {
  test("none is lower than its time's first, and none comes twice while the clock goes on", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (steps, random) => {
          const ids = createIds(Math.min(random, 1 - Number.EPSILON));
          let timeMs = NOW;
          let before = 0;
          for (const step of steps) {
            timeMs += step;
            const id = ids.next(timeMs);
            expect(id).toBeGreaterThanOrEqual(firstIdOf(timeMs));
            expect(id).toBeGreaterThan(before);
            before = id;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("of a burst go on behind their millisecond", () => {
    const ids = createIds(0);
    const taken = Array.from({ length: 3 * IDS_PER_MS }, () => ids.next(NOW));
    expect(taken).toEqual(taken.map((_, index) => firstIdOf(NOW) + index));
    expect(ids.next(NOW + 10)).toBe(firstIdOf(NOW + 10));
  });

  test("a clock that was far ahead leaves nothing behind", () => {
    const ids = createIds(0);
    ids.next(NOW + 400 * DAY_MS);
    expect(ids.next(NOW)).toBe(firstIdOf(NOW));
    expect(ids.next(NOW - 1_000)).toBe(firstIdOf(NOW) + 1);
  });

  test("are exact numbers for two hundred years", () => {
    expect(Number.isSafeInteger(firstIdOf(Date.UTC(2226, 0)))).toBe(true);
  });
});
