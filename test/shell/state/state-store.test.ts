import { afterEach, describe, expect, test } from "bun:test";
import type { StateStore, StoreEvent } from "../../../src/core/state-store.ts";
import { REAL_CLOCK } from "../../../src/shell/real-clock.ts";
import { createStateStore } from "../../../src/shell/state/state-store.ts";
import { describeWith } from "../../packaging/support/run.ts";
import { limit } from "../../policy/limits.ts";
import { until } from "../support.ts";
import { reservationOf } from "./limit-instance.ts";
import { startRedis } from "./redis-server.ts";

const open: StateStore[] = [];
afterEach(() => {
  for (const store of open.splice(0)) store.close();
});

function storeOf(url: string | undefined) {
  const events: StoreEvent[] = [];
  const store = createStateStore({
    url,
    prefix: "store",
    breaker: { failureThreshold: 2, windowMs: 60_000, cooldownMs: 60_000, escalationMs: 60_000 },
    providerOpenModels: () => 0,
    clock: REAL_CLOCK,
    tell: (event) => events.push(event),
  });
  open.push(store);
  return { store, events };
}

const KEY = { provider: "openai", model: "gpt-4o" } as const;

/** Limits hold, and circuits open. */
async function expectState(store: StateStore): Promise<void> {
  const one = limit({ member: crypto.randomUUID(), scope: "user", limit: 2 });
  store.giveBack(reservationOf(await store.reserve([one], 0)));
  const verdicts = [await store.reserve([one], 0), await store.reserve([one], 0), await store.reserve([one], 0)];
  expect(verdicts.map(({ kind }) => kind)).toEqual(["reserved", "reserved", "refused"]);
  await store.resetBreaker(undefined);
  for (let failure = 0; failure < 2; failure++) store.settle((await store.admit(KEY)).ticket, "failure");
  await until(async () => (await store.breakers()).some(({ state }) => state === "open"), "the circuit is open");
  expect((await store.admit(KEY)).kind).toBe("refused");
}

describe("in memory", () => {
  test("there is state, and it is well", async () => {
    const { store } = storeOf(undefined);
    await expectState(store);
    expect(store.health()).toEqual({ kind: "memory", isUp: true, instances: 1, detail: undefined });
  });
});

describeWith(["redis-server", "redis-cli"], "in Redis", async () => {
  const server = await startRedis();

  test("there is state, with the server and without it", async () => {
    const { store, events } = storeOf(server.url);
    await until(() => store.health().isUp, "it is up");
    expect(store.health()).toEqual({ kind: "redis", isUp: true, instances: 1, detail: undefined });
    await expectState(store);
    await server.kill();
    await until(() => !store.health().isUp, "it is away");
    await expectState(store);
    expect(store.health()).toMatchObject({ kind: "redis", isUp: false, instances: 1 });
    await until(() => store.health().detail !== undefined, "it says why");
    await server.start();
    await until(() => store.health().isUp, "it is up again", 10_000);
    const told = events.flatMap((event) => (event.kind === "store" ? [event.isUp] : []));
    expect(told.slice(0, 2)).toEqual([true, false]);
    expect(told.at(-1)).toBe(true);
  }, 20_000);

  test("every key of it is under the prefix, and expires", async () => {
    const { store } = storeOf(server.url);
    await until(() => store.health().isUp, "it is up");
    await expectState(store);
    const keys = await server.ask("KEYS", "*");
    if (!Array.isArray(keys)) throw new Error("no keys");
    expect(keys.filter((key) => !String(key).startsWith("{store}:"))).toEqual([]);
    expect(keys.length).toBeGreaterThan(4);
    const left = await Promise.all(keys.map((key) => server.ask("PTTL", String(key))));
    expect(left.filter((ms) => Number(ms) < 0)).toEqual([]);
  });
});
