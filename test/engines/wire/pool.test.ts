import { afterEach, describe, expect, jest, test } from "bun:test";
import { POOL_CONNECTIONS_MAX, POOL_IDLE_MS, SWEEP_MS } from "../../../src/engines/wire/limits.ts";
import { Pool } from "../../../src/engines/wire/pool.ts";
import type { UpstreamConnection } from "../../../src/engines/wire/upstream-connection.ts";

class FakeConnection {
  idleSinceMs = 0;
  keptMs = POOL_IDLE_MS;
  isReused = false;
  isDiscarded = false;
  reuse() {
    this.isReused = true;
  }
  discard() {
    this.isDiscarded = true;
  }
}

const fake = () => new FakeConnection() as FakeConnection & UpstreamConnection;

afterEach(() => jest.useRealTimers());

describe("the pool", () => {
  test("gives the connection that was used last", () => {
    const pool = new Pool();
    const [first, second] = [fake(), fake()];
    pool.keep("a", first);
    pool.keep("a", second);
    expect(pool.take("a")).toBe(second);
    expect(pool.take("a")).toBe(first);
    expect(pool.take("a")).toBeUndefined();
    expect(second.isReused).toBe(true);
  });

  test("keeps what goes elsewhere, or as somebody else, apart", () => {
    const pool = new Pool();
    pool.keep("a", fake());
    expect(pool.take("b")).toBeUndefined();
    expect(pool.take("a")).toBeDefined();
  });

  test("gives none that is too old, and ends it", () => {
    const pool = new Pool();
    const [old, older, short] = [fake(), fake(), fake()];
    for (const connection of [older, old, short]) pool.keep("a", connection);
    old.idleSinceMs -= POOL_IDLE_MS;
    older.idleSinceMs -= 2 * POOL_IDLE_MS;
    short.keptMs = 0;
    expect(pool.take("a")).toBeUndefined();
    expect([old, older, short].map(({ isDiscarded }) => isDiscarded)).toEqual([true, true, true]);
  });

  test("forgets one that the target ended", () => {
    const pool = new Pool();
    const [first, second] = [fake(), fake()];
    pool.keep("a", first);
    pool.keep("a", second);
    pool.remove("a", second);
    pool.remove("a", second);
    pool.remove("b", first);
    expect(pool.take("a")).toBe(first);
    expect(pool.take("a")).toBeUndefined();
    expect(second.isDiscarded).toBe(false);
  });

  test("has a limit, above which the oldest goes", () => {
    const pool = new Pool();
    const connections = Array.from({ length: POOL_CONNECTIONS_MAX + 2 }, fake);
    for (const connection of connections) pool.keep("a", connection);
    expect(connections.filter(({ isDiscarded }) => isDiscarded)).toEqual(connections.slice(0, 2));
  });

  test("ends those that nobody takes, each at its time", () => {
    jest.useFakeTimers();
    const pool = new Pool();
    const [short, long] = [fake(), fake()];
    short.keptMs = 0;
    pool.keep("a", short);
    pool.keep("b", long);
    jest.advanceTimersByTime(SWEEP_MS);
    expect([short.isDiscarded, long.isDiscarded]).toEqual([true, false]);
    long.keptMs = 0;
    jest.advanceTimersByTime(SWEEP_MS);
    expect(long.isDiscarded).toBe(true);
    // With nothing left there is nothing to look at.
    expect(jest.getTimerCount()).toBe(0);
  });
});
