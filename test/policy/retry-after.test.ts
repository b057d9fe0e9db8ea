import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderList } from "../../src/core/headers.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { httpDateMs, retryAfterMs, retryAfterOfHeaders } from "../../src/policy/retry-after.ts";
import { entryOf, send, WALL_MS } from "../providers/error-facts.ts";

function of(...headers: HeaderList): number | undefined {
  return retryAfterMs(headers, "", WALL_MS);
}

describe("headers", () => {
  test.each<readonly [HeaderList, number | undefined]>([
    [[], undefined],
    [[["Retry-After", "2"]], 2_000],
    [[["retry-after", " 20 "]], 20_000],
    [[["retry-after", "0.25"]], 250],
    [[["retry-after", ".5"]], 500],
    [[["retry-after", "86400"]], 86_400_000],
    [[["retry-after-ms", "1876"]], 1_876],
    [
      [
        ["retry-after", "2"],
        ["retry-after-ms", "1876"],
      ],
      1_876,
    ],
    [
      [
        ["retry-after", "2"],
        ["retry-after-ms", "soon"],
      ],
      2_000,
    ],
    [
      [
        ["retry-after", "3"],
        ["retry-after", "9"],
      ],
      3_000,
    ],
    [[["retry-after", "Sun, 08 Feb 2026 12:34:58 GMT"]], 10_000],
    [[["retry-after", "Sunday, 08-Feb-26 12:34:58 GMT"]], 10_000],
    [[["retry-after", "Sun Feb  8 12:34:58 2026"]], 10_000],
    [[["retry-after", "2026-02-08T12:34:58Z"]], 10_000],
    [[["retry-after", "2026-02-08T13:34:58+01:00"]], 10_000],
    // Nothing that makes sense.
    [[["retry-after", "Sun, 08 Feb 2026 12:34:48 GMT"]], undefined],
    [[["retry-after", "Sun, 08 Feb 2016 12:34:48 GMT"]], undefined],
    [[["retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"]], undefined],
    [[["retry-after", "08 Feb 2026"]], undefined],
    [[["retry-after", "Sun, 08 Xyz 2026 12:34:58 GMT"]], undefined],
    [[["retry-after", "0"]], undefined],
    [[["retry-after", "-5"]], undefined],
    [[["retry-after", "NaN"]], undefined],
    [[["retry-after", "Infinity"]], undefined],
    [[["retry-after", "1e3"]], undefined],
    [[["retry-after", "0x10"]], undefined],
    [[["retry-after", "9".repeat(400)]], undefined],
    [[["retry-after", "."]], undefined],
    [[["retry-after", ""]], undefined],
    // How long a limit takes to be full again is another matter.
    [[["x-ratelimit-reset-requests", "6m0s"]], undefined],
    [[["anthropic-ratelimit-requests-reset", "2026-02-08T12:35:00Z"]], undefined],
  ])("%j", (headers, expected) => {
    expect(of(...headers)).toBe(expected);
  });

  test("years are told as they are; the caller has a maximum", () => {
    expect(of(["retry-after", "99999999999"])).toBe(99_999_999_999_000);
  });

  test("without a clock only a number counts", () => {
    expect(retryAfterOfHeaders([["retry-after", "Sun, 08 Feb 2026 12:34:58 GMT"]], Number.NaN)).toBeUndefined();
    expect(retryAfterOfHeaders([["retry-after", "3"]], Number.NaN)).toBe(3_000);
  });
});

describe("bodies", () => {
  const info = (retryDelay: unknown) =>
    JSON.stringify({
      error: {
        code: 429,
        details: [{ "@type": "type.googleapis.com/google.rpc.Help" }, { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }],
      },
    });
  test.each<readonly [string, number | undefined]>([
    [info("34.4s"), 34_400],
    [info("20s"), 20_000],
    [`[${info("20s")}]`, 20_000],
    [info({ seconds: 2, nanos: 500_000_000 }), 2_500],
    [info("0s"), undefined],
    [info("-3s"), undefined],
    [info("20"), undefined],
    [info(null), undefined],
    ['{"error":{"message":"Rate limit reached. Please try again in 11.054s. Visit …"}}', 11_054],
    ['{"error":{"message":"Please try again in 20ms."}}', 20],
    ['{"error":{"message":"Please try again in 6m0s."}}', 360_000],
    ['{"error":{"message":"Please try again in 9m38.016s."}}', 578_016],
    ['{"error":{"message":"Please try again in 1h2m3s."}}', 3_723_000],
    ['{"error":{"message":"Please retry in 20.04466179s."}}', 20_044.66179],
    ['{"error":{"message":"Please retry after 60 seconds. Please go here"}}', 60_000],
    ['{"error":{"message":"Please try again in 1 second"}}', 1_000],
    ['{"error":{"message":"Please try again later."}}', undefined],
    ['{"error":{"message":"try again in a moment"}}', undefined],
    ['{"error":{"message":"try again in 3 days"}}', undefined],
    ["", undefined],
    ["<html>", undefined],
  ])("%s", (body, expected) => {
    const found = retryAfterMs([], body, WALL_MS);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(expected, 6);
  });

  test("a header counts before the body", () => {
    expect(retryAfterMs([["retry-after", "1"]], info("34.4s"), WALL_MS)).toBe(1_000);
  });
});

test("every provider's own rate limit is understood", () => {
  const waits = PROVIDER_NAMES.map((provider) => {
    const sent = send(provider, entryOf(provider, "rate_limit"), { retryAfterSeconds: 7 });
    return [provider, retryAfterMs(Object.entries(sent.headers), sent.text, WALL_MS)] as const;
  });
  expect(waits).toEqual(PROVIDER_NAMES.map((provider) => [provider, 7_000] as const));
});

test("a date comes out as the moment it means, whatever the zone of the machine", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date(Date.UTC(2099, 11, 31)), noInvalidDate: true }), (date) => {
      const wholeMs = Math.floor(date.getTime() / 1000) * 1000;
      expect(httpDateMs(new Date(wholeMs).toUTCString())).toBe(wholeMs);
    }),
  );
});

test("whatever is sent, it is a positive number or nothing", () => {
  fc.assert(
    fc.property(fc.string(), fc.oneof(fc.string(), fc.json()), (value, body) => {
      const found = retryAfterMs([["retry-after", value]], body, WALL_MS);
      if (found !== undefined) expect(found > 0 && Number.isFinite(found)).toBe(true);
    }),
  );
});
