import { expect, test } from "bun:test";
import { soak } from "../../bench/soak-run.ts";

/** `FAULTPROXY_TEST_SEED=123` replays what is drawn; what comes of it depends on the machine too. */
const SEED = Number(process.env.FAULTPROXY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const SECONDS = 6;
const TEST_MS_MAX = 120_000;

test(
  "routes of targets that fail in every way lose no row, leave nothing behind and let no half pass for the whole",
  async () => {
    const { report, checks } = await soak({ seconds: SECONDS, clients: 16, seed: SEED });
    const broken = checks.filter(({ isKept, needsTime }) => !isKept && needsTime === undefined);
    expect({ seed: SEED, broken }).toEqual({ seed: SEED, broken: [] });
    // Answers, streams that broke off, and errors.
    expect(Object.keys(report.ends).length).toBeGreaterThan(3);
  },
  TEST_MS_MAX,
);
