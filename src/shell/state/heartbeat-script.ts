import type { Script } from "./shared-scripts.ts";

export const HEARTBEAT_MS = 2_000;

/** An instance that has not been heard of for this long is no longer one. */
export const INSTANCE_GONE_MS = 3 * HEARTBEAT_MS;

/** KEYS: the instances. ARGV: this one's id, `INSTANCE_GONE_MS`. Gives how many there are, and how many ids are before this one's. */
export const HEARTBEAT: Script = {
  name: "heartbeat",
  source: `
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
-- A clock that was put back must not make those live on that have gone.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. nowMs, '+inf')) do redis.call('ZADD', KEYS[1], nowMs, id) end
redis.call('ZADD', KEYS[1], nowMs, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local count, rank = 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  count = count + 1
  if id < ARGV[1] then rank = rank + 1 end
end
return {count, rank}
`,
};

/** KEYS: the instances. ARGV: this one's id. */
export const GOODBYE: Script = { name: "goodbye", source: "return redis.call('ZREM', KEYS[1], ARGV[1])" };
