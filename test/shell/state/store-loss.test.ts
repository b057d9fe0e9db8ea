import { expect, test } from "bun:test";
import fc from "fast-check";
import { shareOf, withoutStore } from "../../../src/shell/state/store-loss.ts";
import { limit } from "../../policy/limits.ts";
import { PROPERTY_OPTIONS } from "../../stream/properties.ts";

test("all shares together are the limit, and none is larger than another by more than one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1, max: 50 }), (number, count) => {
      const shares = Array.from({ length: count }, (_, rank) => shareOf(number, { count, rank }));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(number);
      expect((shares[0] ?? 0) - (shares.at(-1) ?? 0)).toBeLessThanOrEqual(1);
    }),
    PROPERTY_OPTIONS,
  );
});

const [share, open, closed] = (["share", "open", "closed"] as const).map((onStoreLoss) => limit({ limit: 3, onStoreLoss }));

test("each limit comes to what it is told to", () => {
  if (share === undefined || open === undefined) throw new Error("no limit");
  expect(withoutStore([share, open], { count: 2, rank: 0 })).toEqual([
    { ...share, limit: 2 },
    { ...open, limit: Number.POSITIVE_INFINITY },
  ]);
});

test.each([
  ["closed", [share, open, closed], closed],
  ["without a share", [open, { ...(share ?? limit()), limit: 1 }], { ...(share ?? limit()), limit: 1 }],
])("one that is %s refuses for a short time", (_, limits, refusing) => {
  expect(
    withoutStore(
      limits.filter((one) => one !== undefined),
      { count: 2, rank: 1 },
    ),
  ).toEqual({ kind: "refused", limit: refusing ?? limit(), remaining: 0, retryAfterMs: 1_000 });
});
