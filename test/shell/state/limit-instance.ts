import type { Limit, LimitVerdict, Reservation } from "../../../src/core/state-store.ts";
import { counterName } from "../../../src/shell/state/counter-name.ts";
import { createRedisConnection } from "../../../src/shell/state/redis-connection.ts";
import { createRedisLimits } from "../../../src/shell/state/redis-limits.ts";
import { until } from "../support.ts";
import { quickHeart, type RedisServer } from "./redis-server.ts";

/** One of several that share the limits of a server. */
export function limitInstance(url: string, prefix: string, timeoutMs = 1_000) {
  const scripts = createRedisConnection({ url, prefix, timeoutMs, onChange() {}, after: quickHeart });
  const limits = createRedisLimits({ scripts, monotonicMs: () => performance.now(), timeoutMs });
  return {
    ...limits,
    scripts,
    up: () => until(scripts.isUp, "the store is up", 10_000),
    away: () => until(() => !scripts.isUp(), "the store is away", 10_000),
    /** How many of so many requests pass, all asked at once. */
    async passing(asked: readonly Limit[], requests: number, tokens = 0): Promise<number> {
      const verdicts = await Promise.all(Array.from({ length: requests }, () => limits.reserve(asked, tokens)));
      return verdicts.filter(({ kind }) => kind === "reserved").length;
    },
    async reserved(asked: readonly Limit[], tokens = 0): Promise<Reservation> {
      return reservationOf(await limits.reserve(asked, tokens));
    },
  };
}

export function reservationOf(verdict: LimitVerdict): Reservation {
  if (verdict.kind === "refused") throw new Error(`refused: ${JSON.stringify(verdict)}`);
  return verdict.reservation;
}

/** What counts against a limit, as the store knows it. */
export async function usedInStore(server: RedisServer, prefix: string, limit: Limit): Promise<number> {
  const source = `
    local packed = redis.call('GET', KEYS[1])
    local sum = 0
    for index, value in ipairs(packed and cmsgpack.unpack(packed) or {}) do if index % 3 == 0 then sum = sum + value end end
    return sum`;
  return Number(await server.ask("EVAL", source, "1", `{${prefix}}:limit:${counterName(limit)}`));
}
