import { expect, test } from "bun:test";
import { RedisClient } from "bun";
import fc from "fast-check";
import type { Limit } from "../../../src/core/state-store.ts";
import { advance, amountOf, correct, emptyCounter, type Held, put, reserve, WINDOW_MS } from "../../../src/policy/limiter.ts";
import { CORRECT, GRANTED, REFUSED, RESERVE, RESTORE, TOO_LATE } from "../../../src/shell/state/limit-scripts.ts";
import type { Script } from "../../../src/shell/state/shared-scripts.ts";
import { describeWith } from "../../packaging/support/run.ts";
import { limit } from "../../policy/limits.ts";
import { PROPERTY_OPTIONS } from "../../stream/properties.ts";
import { startRedis } from "./redis-server.ts";

describeWith(["redis-server", "redis-cli"], "limits in the store", async () => {
  const server = await startRedis();
  const client = new RedisClient(server.url);
  const run = (script: Script, keys: readonly string[], words: readonly (string | number)[]): Promise<unknown> =>
    client.send("EVAL", [script.source, String(keys.length), ...keys, ...words.map(String)]);

  const LIMITS: readonly Limit[] = [limit({ limit: 5 }), limit({ metric: "tokens", limit: 100 }), limit({ window: "day", limit: 40 })];
  const keysOf = (name: string) => LIMITS.map(({ metric, window }) => `${name}:${metric}:${window}`);

  async function entriesOf(key: string): Promise<unknown> {
    const source = "local packed = redis.call('GET', KEYS[1]) return packed and cmsgpack.unpack(packed) or {}";
    return client.send("EVAL", [source, "1", key]);
  }

  const anyEvent = fc.record({
    kind: fc.constantFrom("ask", "ask", "ask", "correct", "restore"),
    // Back too: a server's clock can be set.
    pauseMs: fc.oneof(fc.nat({ max: 400 }), fc.nat({ max: 20_000 }), fc.integer({ min: -50_000, max: 80_000 })),
    tokens: fc.nat({ max: 60 }),
    agoMs: fc.nat({ max: 70_000 }),
  });

  let runs = 0;
  test("the scripts decide as the functions do, whatever comes at whatever time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { maxLength: 60 }), async (events) => {
        const name = `run-${runs++}`;
        const keys = keysOf(name);
        const held: readonly Held[] = LIMITS.map((one) => ({ ...emptyCounter(one.window), limit: one }));
        let nowMs = 1_000_000;
        for (const { kind, pauseMs, tokens, agoMs } of events) {
          nowMs += pauseMs;
          const words = LIMITS.flatMap((one) => [WINDOW_MS[one.window], one.limit, amountOf(one, tokens)]);
          if (kind === "ask") {
            const refusal = reserve(held, tokens, nowMs);
            const answer = await run(RESERVE, [...keys, `${name}:mark`], [nowMs, "", 0, ...words]);
            const expected =
              refusal === undefined
                ? [GRANTED, nowMs]
                : [REFUSED, nowMs, LIMITS.indexOf(refusal.limit), refusal.remaining, refusal.retryAfterMs];
            expect(answer).toEqual(expected);
          } else if (kind === "correct") {
            for (const counter of held) correct(counter, tokens - 30, nowMs - agoMs, nowMs);
            const differences = LIMITS.flatMap((one) => [WINDOW_MS[one.window], tokens - 30]);
            expect(await run(CORRECT, keys, [nowMs, nowMs - agoMs, ...differences])).toBe(GRANTED);
          } else {
            const pieces = LIMITS.flatMap((one) => [WINDOW_MS[one.window], 2, agoMs, tokens, Math.floor(agoMs / 2), 1]);
            for (const counter of held) {
              advance(counter, nowMs);
              put(counter, tokens, nowMs - agoMs);
              put(counter, 1, nowMs - Math.floor(agoMs / 2));
            }
            expect(await run(RESTORE, [...keys, `${name}:mark`], [nowMs, "", 0, ...pieces])).toBe(GRANTED);
          }
        }
        for (const [index, { entries }] of held.entries())
          expect(await entriesOf(keys[index] ?? "")).toEqual(entries.flatMap(({ firstMs, lastMs, amount }) => [firstMs, lastMs, amount]));
      }),
      { ...PROPERTY_OPTIONS, numRuns: 300 },
    );
  }, 60_000);

  test("what comes after its last time is not done", async () => {
    const keys = [...keysOf("late"), "late:mark"];
    const words = LIMITS.flatMap((one) => [WINDOW_MS[one.window], one.limit, 1]);
    expect(await run(RESERVE, keys, [1_000, 999, 7, ...words])).toEqual([TOO_LATE, 1_000]);
    expect(await run(RESTORE, keys, [1_000, 999, 7, ...LIMITS.flatMap(() => [60_000, 1, 0, 1])])).toBe(TOO_LATE);
    expect(await client.send("EXISTS", keys)).toBeFalsy();
    expect(await run(RESERVE, keys, [1_000, 1_000, 7, ...words])).toEqual([GRANTED, 1_000]);
    expect(await client.get("late:mark")).toBe("7");
  });

  test("every key expires by itself, no earlier than it counts", async () => {
    const keys = [...keysOf("expiry"), "expiry:mark"];
    const words = LIMITS.flatMap((one) => [WINDOW_MS[one.window], one.limit, 1]);
    await run(RESERVE, keys, ["", "", 7, ...words]);
    const left = (await Promise.all(keys.map((key) => client.send("PTTL", [key])))).map(Number);
    for (const [index, most] of [60_000, 60_000, 86_400_000, 90_000_000].entries()) {
      expect(left[index]).toBeLessThanOrEqual(most);
      expect(left[index]).toBeGreaterThan(most - 5_000);
    }
    // A window later.
    const later = Date.now() + 86_400_000;
    await run(CORRECT, keysOf("expiry"), [later, later, 60_000, 0, 60_000, 0, 86_400_000, 0]);
    expect(await client.send("EXISTS", keysOf("expiry"))).toBeFalsy();
  });

  test("without a time it is the server's", async () => {
    const before = Date.now();
    const answer = await run(RESERVE, ["time", "time:mark"], ["", "", 0, 60_000, 5, 1]);
    expect(Array.isArray(answer) ? answer[1] : undefined).toBeWithin(before, Date.now() + 1);
  });
});
