import { expect, test } from "bun:test";
import { mistakesOf, worldMistakes } from "./support/soak-checks.ts";
import { soak } from "./support/soak-world.ts";

/** For longer runs: `FAULTPROXY_TEST_EXCHANGES=200000 bun test test/pipeline/routed-soak.test.ts --timeout 60000`. */
const EXCHANGES = Number(process.env.FAULTPROXY_TEST_EXCHANGES ?? 2_400);
/** `FAULTPROXY_TEST_SEED=123` replays a run, or the one world that is named in a failure first. */
const SEED = Number(process.env.FAULTPROXY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Each has settings, routes and targets of its own. */
const WORLD_EXCHANGES = 600;

const seeds = Array.from({ length: Math.ceil(EXCHANGES / WORLD_EXCHANGES) }, (_, index) => SEED + index);

test.each(seeds)("thirty minutes of faults on routes: every exchange ends once, and whole or with an error (seed %i)", async (seed) => {
  const world = await soak(seed, WORLD_EXCHANGES);
  const mistakes = [...world.lives.flatMap((life) => mistakesOf(life, world)), ...(await worldMistakes(world))];
  const count = mistakes.length;
  expect({ seed, count, mistakes: mistakes.slice(0, 5) }).toEqual({ seed, count: 0, mistakes: [] });
});
