import { expect, test } from "bun:test";
import fc from "fast-check";
import { createStoreClock } from "../../../src/shell/state/store-clock.ts";
import { PROPERTY_OPTIONS } from "../../stream/properties.ts";

test("nothing is known before anything was heard", () => {
  expect(createStoreClock(() => 0).at(0)).toBeUndefined();
});

test("it is never ahead of the store's clock, and behind it by no more than the quickest of the last answers took", () => {
  const anyAnswers = fc.array(fc.record({ pauseMs: fc.nat({ max: 3_000 }), wayMs: fc.nat({ max: 50 }) }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(anyAnswers, fc.integer({ min: -1_000_000, max: 2_000_000_000_000 }), (answers, aheadMs) => {
      let nowMs = 0;
      const clock = createStoreClock(() => nowMs);
      const heard: { readonly atMs: number; readonly wayMs: number }[] = [];
      for (const { pauseMs, wayMs } of answers) {
        nowMs += pauseMs + wayMs;
        clock.hear(nowMs - wayMs + aheadMs);
        heard.push({ atMs: nowMs, wayMs });
        const quickestMs = Math.min(...heard.filter(({ atMs }) => nowMs - atMs <= 10_000).map((one) => one.wayMs));
        const seen = clock.at(nowMs) ?? Number.NaN;
        expect(seen).toBeLessThanOrEqual(nowMs + aheadMs);
        expect(seen).toBeGreaterThanOrEqual(nowMs + aheadMs - quickestMs);
      }
    }),
    PROPERTY_OPTIONS,
  );
});

test.each([
  ["put forward", 3_600_000],
  ["put back", -3_600_000],
])("one that is %s is followed", (_, byMs) => {
  let nowMs = 0;
  const clock = createStoreClock(() => nowMs);
  clock.hear(1_000_000);
  for (let answer = 0; answer < 30; answer++) {
    nowMs += 1_000;
    clock.hear(1_000_000 + nowMs + byMs);
  }
  expect(clock.at(nowMs)).toBe(1_000_000 + nowMs + byMs);
});
