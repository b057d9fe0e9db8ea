import { PROBE_MS_MAX, PROBE_RETRY_AFTER_MS } from "../../policy/breaker.ts";
import type { Script } from "./shared-scripts.ts";

/**
 * The circuit of `policy/breaker.ts` in the store, one call a step. Of each circuit there is
 *
 *     a hash           generation, phase (none: closed), until, probe (until when it holds its place), claim (whose it is), since and
 *                      last of a spell of global rate limits
 *     a sorted set     its failures by time
 *
 * of each provider a sorted set of the models whose cooldown runs, by its end, and a sorted set of all circuits by their
 * last step. Times are milliseconds of the store's clock, or the one that is given first. Numbers go to the store through
 * `int`, because Lua writes large ones with an exponent.
 */
const COMMON = `
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function int(number) return string.format('%.0f', number) end
local function read(key)
  local found = redis.call('HMGET', key, 'generation', 'phase', 'until', 'probe', 'since', 'last')
  return {
    generation = tonumber(found[1] or 0),
    phase = found[2] or 'closed',
    till = tonumber(found[3] or 0),
    probe = tonumber(found[4] or 0),
    since = tonumber(found[5] or -1),
    last = tonumber(found[6] or -1),
  }
end
local function later(c) return c.generation + (c.phase == 'half_open' and 2 or 1) end
`;

/** A circuit that has ever moved is remembered for a day after its last step: longer than any request that has a ticket of it. */
const REMEMBERED_MS = 86_400_000;

/** For circuits that have not: their failures leave the window, and a little more, since the store drops them by its own clock. */
const SLACK_MS = 60_000;

/** Circuits that views and resets can know of; the longest untouched are given up. */
const LISTED_MAX = 100_000;

const LIST = `
local function list(key, now, name)
  redis.call('ZADD', key, int(now), name)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now - ${REMEMBERED_MS}))
  redis.call('ZREMRANGEBYRANK', key, 0, -${LISTED_MAX + 1})
  redis.call('PEXPIRE', key, ${REMEMBERED_MS})
end
`;

const COOL = `
local function cool(key, now, member, cooldown)
  if member == '' then return end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
  redis.call('ZADD', key, int(now + cooldown), member)
  redis.call('PEXPIRE', key, int(cooldown + ${REMEMBERED_MS}))
end
`;

/**
 * KEYS hash, cooling; ARGV clock, openModels, an id of the request's own.
 * Gives passes (0, 1), isProbe, generation, retryAfterMs, for how long it is open (-1: closed), whether it was open before the
 * probe, whether there is a spell of global rate limits.
 */
export const ADMIT: Script = {
  name: "breaker-admit",
  source: `${COMMON}
local now = clock(ARGV[1])
local c = read(KEYS[1])
local spell = c.since >= 0 and 1 or 0
if c.phase == 'closed' then
  local models = tonumber(ARGV[2])
  if models > 0 then
    local ends = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(now), '+inf', 'WITHSCORES', 'LIMIT', 0, models)
    if #ends >= models * 2 then return { 0, 0, c.generation, ends[2] - now, -1, 0, spell } end
  end
  return { 1, 0, c.generation, 0, -1, 0, spell }
end
if (c.phase == 'open' and now >= c.till) or (c.phase == 'half_open' and now >= c.probe) then
  local ends = int(now + ${PROBE_MS_MAX})
  redis.call('HSET', KEYS[1], 'generation', int(later(c)), 'phase', 'half_open', 'probe', ends, 'claim', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ${REMEMBERED_MS + PROBE_MS_MAX})
  return { 1, 1, later(c), 0, 0, c.phase == 'open' and 1 or 0, spell }
end
if c.phase == 'open' then return { 0, 0, c.generation, c.till - now, c.till - now, 0, spell } end
return { 0, 0, c.generation, math.min(${PROBE_RETRY_AFTER_MS}, c.probe - now), 0, 0, spell }`,
};

/** KEYS hash; ARGV the id of a request that may have become the probe without hearing of it. Frees its place. */
export const RELEASE: Script = {
  name: "breaker-release",
  source: `
if redis.call('HGET', KEYS[1], 'phase') == 'half_open' and redis.call('HGET', KEYS[1], 'claim') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'probe', 'claim')
end
return 0`,
};

/**
 * KEYS hash, failures, cooling, list; ARGV clock, age of the result, generation (-1: whichever it is, where it is closed), isProbe,
 * outcome, threshold, window, cooldown, escalation, an id of the result's own (so that one that comes twice counts once), model, name.
 * Gives what moved (0 nothing, 1 opened, 2 reopened, 3 closed) and the number of failures.
 */
export const SETTLE: Script = {
  name: "breaker-settle",
  source: `${COMMON}${LIST}${COOL}
local now = clock(ARGV[1])
local at = now - tonumber(ARGV[2])
local given = tonumber(ARGV[3])
local isProbe = ARGV[4] == '1'
local outcome = ARGV[5]
local threshold, window = tonumber(ARGV[6]), tonumber(ARGV[7])
local cooldown, escalation = tonumber(ARGV[8]), tonumber(ARGV[9])
local c = read(KEYS[1])
if c.phase == 'open' or (given ~= c.generation and (given ~= -1 or c.phase ~= 'closed')) then return { 0, 0 } end
if c.phase == 'half_open' and (not isProbe or c.probe == 0) then return { 0, 0 } end

if outcome == 'success' then
  if c.phase == 'closed' then
    if c.since >= 0 then redis.call('HDEL', KEYS[1], 'since', 'last') end
    return { 0, 0 }
  end
  redis.call('HDEL', KEYS[1], 'phase', 'until', 'probe', 'claim', 'since', 'last')
  redis.call('HSET', KEYS[1], 'generation', int(c.generation + 1))
  redis.call('PEXPIRE', KEYS[1], ${REMEMBERED_MS})
  redis.call('DEL', KEYS[2])
  list(KEYS[4], now, ARGV[12])
  return { 3, 0 }
end

local fails = outcome == 'failure'
local kept = c.generation == 0 and window + ${SLACK_MS} or ${REMEMBERED_MS}
if outcome == 'global_rate_limit' then
  if c.since < 0 or at - c.last > window then c.since = at end
  c.last = math.max(at, c.last)
  redis.call('HSET', KEYS[1], 'since', int(c.since), 'last', int(c.last))
  list(KEYS[4], now, ARGV[12])
  fails = c.last - c.since >= escalation
end
redis.call('PEXPIRE', KEYS[1], int(kept))
if not fails then
  if c.phase == 'half_open' then redis.call('HDEL', KEYS[1], 'probe', 'claim') end
  return { 0, 0 }
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now - window))
if now - at < window then redis.call('ZADD', KEYS[2], int(at), ARGV[10]) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, int(-threshold - 1))
redis.call('PEXPIRE', KEYS[2], int(window + ${SLACK_MS}))
list(KEYS[4], now, ARGV[12])
local failures = redis.call('ZCARD', KEYS[2])
if c.phase == 'closed' and failures < threshold then return { 0, failures } end
redis.call('HSET', KEYS[1], 'generation', int(later(c)), 'phase', 'open', 'until', int(now + cooldown))
redis.call('HDEL', KEYS[1], 'probe', 'claim')
redis.call('PEXPIRE', KEYS[1], int(cooldown + ${REMEMBERED_MS}))
cool(KEYS[3], now, ARGV[11], cooldown)
return { c.phase == 'closed' and 1 or 2, failures }`,
};

/** KEYS hash, failures, cooling, list; ARGV clock, window, model, name. Gives the phase it had, or nothing where there was nothing to forget. */
export const RESET: Script = {
  name: "breaker-reset",
  source: `${COMMON}${LIST}
local now = clock(ARGV[1])
local window = tonumber(ARGV[2])
local c = read(KEYS[1])
local failures = redis.call('ZCOUNT', KEYS[2], '(' .. int(now - window), '+inf')
if c.phase == 'closed' and failures == 0 and (c.since < 0 or now - c.last > window) then return false end
redis.call('HDEL', KEYS[1], 'phase', 'until', 'probe', 'claim', 'since', 'last')
redis.call('HSET', KEYS[1], 'generation', int(later(c)))
redis.call('PEXPIRE', KEYS[1], ${REMEMBERED_MS})
redis.call('DEL', KEYS[2])
if ARGV[3] ~= '' then redis.call('ZREM', KEYS[3], ARGV[3]) end
list(KEYS[4], now, ARGV[4])
return c.phase`,
};

/** KEYS hash, cooling, list; ARGV clock, cooldown, model, name. Gives the phase it had. */
export const OPEN: Script = {
  name: "breaker-open",
  source: `${COMMON}${LIST}${COOL}
local now = clock(ARGV[1])
local cooldown = tonumber(ARGV[2])
local c = read(KEYS[1])
redis.call('HSET', KEYS[1], 'generation', int(later(c)), 'phase', 'open', 'until', int(now + cooldown))
redis.call('HDEL', KEYS[1], 'probe', 'claim')
redis.call('PEXPIRE', KEYS[1], int(cooldown + ${REMEMBERED_MS}))
cool(KEYS[2], now, ARGV[3], cooldown)
list(KEYS[3], now, ARGV[4])
return c.phase`,
};

/** KEYS list; ARGV how many. Gives their names, the last touched first. */
export const NAMES: Script = {
  name: "breaker-names",
  source: `return redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)`,
};

/**
 * KEYS list, then hash and failures of each; ARGV clock, window, then the name of each. Gives of each whether it is there, its
 * state, its failures, and for how long it stays open (below 0: it is due).
 */
export const VIEW: Script = {
  name: "breaker-view",
  source: `${COMMON}
local now = clock(ARGV[1])
local window = tonumber(ARGV[2])
local seen = {}
for i = 3, #ARGV do
  local hash, failures = KEYS[(i - 2) * 2], KEYS[(i - 2) * 2 + 1]
  local there = redis.call('EXISTS', hash, failures) > 0
  if not there then redis.call('ZREM', KEYS[1], ARGV[i]) end
  local c = read(hash)
  local state = c.phase
  if state == 'open' and now >= c.till then state = 'half_open' end
  local recent = redis.call('ZCOUNT', failures, '(' .. int(now - window), '+inf')
  table.insert(seen, { there and 1 or 0, state, recent, c.till - now })
end
return seen`,
};
