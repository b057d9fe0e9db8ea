import { GRAINS } from "../../policy/limiter.ts";
import type { Script } from "./shared-scripts.ts";

/**
 * src/policy/limiter.ts in Lua: one decision in one piece, by the server's clock in whole milliseconds. A counter is a list
 * (first, last, amount; first, last, amount; …), oldest first. Of every script ARGV[1] is the time in place of the server's,
 * or nothing.
 */
const COUNTERS = `
local function timeNow()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function put(counter, windowMs, amount, atMs)
  local grainMs = windowMs / ${GRAINS}
  local index = #counter
  while index > 0 and counter[index - 2] > atMs do index = index - 3 end
  if index > 0 and (atMs <= counter[index - 1] or atMs - counter[index - 2] < grainMs) then
    counter[index - 1] = math.max(counter[index - 1], atMs)
    counter[index] = counter[index] + amount
  elseif index < #counter and counter[index + 1] - atMs < grainMs then
    counter[index + 1] = atMs
    counter[index + 3] = counter[index + 3] + amount
  else
    table.insert(counter, index + 1, amount)
    table.insert(counter, index + 1, atMs)
    table.insert(counter, index + 1, atMs)
  end
end

local function advance(counter, windowMs, nowMs)
  local oldest = 1
  while oldest < #counter and nowMs - counter[oldest + 1] >= windowMs do oldest = oldest + 3 end
  local live = counter
  if oldest > 1 then
    live = {}
    for index = oldest, #counter do live[#live + 1] = counter[index] end
  end
  local future, isChanged = 0, oldest > 1
  while #live > 0 and live[#live - 2] > nowMs do
    future = future + table.remove(live)
    table.remove(live)
    table.remove(live)
    isChanged = true
  end
  if #live > 0 and live[#live - 1] > nowMs then
    live[#live - 1] = nowMs
    isChanged = true
  end
  if future > 0 then put(live, windowMs, future, nowMs) end
  return live, isChanged
end

local function used(counter)
  local sum = 0
  for index = 3, #counter, 3 do sum = sum + counter[index] end
  return sum
end

local function save(key, counter, windowMs)
  if #counter == 0 then redis.call('DEL', key) else redis.call('SET', key, cmsgpack.pack(counter), 'PX', windowMs) end
end

local function load(key, windowMs, nowMs)
  local packed = redis.call('GET', key)
  if not packed then return {} end
  local counter, isChanged = advance(cmsgpack.unpack(packed), windowMs, nowMs)
  -- Even if nothing is taken: a clock that is set must not make it count again, or longer.
  if isChanged then save(key, counter, windowMs) end
  return counter
end
`;

/**
 * The mark of an instance: its own moment of the last thing of it that was counted. It is as old as what counts when the store
 * has lost some of that, and tells what is lost. It outlives all that counts.
 */
const MARK = `
local function mark(key, atMs)
  local known = redis.call('GET', key)
  if not known or tonumber(known) < tonumber(atMs) then redis.call('SET', key, atMs, 'PX', 90000000) end
end
`;

export const GRANTED = 1;
export const REFUSED = 0;
/** Whoever asked has decided without an answer: what would be counted now would be counted twice. */
export const TOO_LATE = -1;

/**
 * KEYS: the counters, then the mark. ARGV: time, the last time at which it may be done (nothing: any), the asker's own moment,
 * then window, limit and amount of each counter. Gives `GRANTED` and the time; `REFUSED`, the time, which counter from 0,
 * what remains and until when; or `TOO_LATE` and the time.
 */
export const RESERVE: Script = {
  name: "reserve",
  source: `${COUNTERS}${MARK}
local nowMs = timeNow()
if ARGV[2] ~= '' and nowMs > tonumber(ARGV[2]) then return {${TOO_LATE}, nowMs} end

local function waitMs(counter, windowMs, limit, amount)
  local usedMax = math.max(limit - amount, 0)
  local rest = used(counter)
  if rest <= usedMax then return 0 end
  for index = 3, #counter, 3 do
    rest = rest - counter[index]
    if rest <= usedMax then return windowMs - (nowMs - counter[index - 1]) end
  end
  return windowMs
end

local counters = {}
local refused, remaining, longestMs = 0, 0, 0
for index = 1, #KEYS - 1 do
  local windowMs, limit, amount = tonumber(ARGV[3 * index + 1]), tonumber(ARGV[3 * index + 2]), tonumber(ARGV[3 * index + 3])
  counters[index] = load(KEYS[index], windowMs, nowMs)
  local retryMs = waitMs(counters[index], windowMs, limit, amount)
  if retryMs > longestMs then refused, remaining, longestMs = index - 1, math.max(limit - used(counters[index]), 0), retryMs end
end
if longestMs > 0 then return {${REFUSED}, nowMs, refused, remaining, longestMs} end

for index = 1, #KEYS - 1 do
  local windowMs, amount = tonumber(ARGV[3 * index + 1]), tonumber(ARGV[3 * index + 3])
  put(counters[index], windowMs, amount, nowMs)
  save(KEYS[index], counters[index], windowMs)
end
mark(KEYS[#KEYS], ARGV[3])
return {${GRANTED}, nowMs}
`,
};

/** KEYS: the counters. ARGV: time, when it was reserved, then window and difference of each. */
export const CORRECT: Script = {
  name: "correct",
  source: `${COUNTERS}
local nowMs, atMs = timeNow(), tonumber(ARGV[2])
for index = 1, #KEYS do
  local windowMs, difference = tonumber(ARGV[2 * index + 1]), tonumber(ARGV[2 * index + 2])
  local counter = load(KEYS[index], windowMs, nowMs)
  for entry = 1, #counter, 3 do
    if counter[entry + 1] >= atMs then
      if counter[entry] <= atMs or nowMs - atMs < windowMs then
        counter[entry + 2] = math.max(counter[entry + 2] + difference, 0)
      end
      break
    end
  end
  save(KEYS[index], counter, windowMs)
end
return ${GRANTED}
`,
};

/** KEYS: the instance's mark. Gives the time, and the mark or null. */
export const STANDING: Script = {
  name: "standing",
  source: `${COUNTERS}
return {timeNow(), redis.call('GET', KEYS[1])}
`,
};

/**
 * KEYS: the counters, then the mark. ARGV as `RESERVE`'s, then window and number of entries of each counter, and how long ago
 * each entry was and its amount. Gives `GRANTED` or `TOO_LATE`.
 */
export const RESTORE: Script = {
  name: "restore",
  source: `${COUNTERS}${MARK}
local nowMs = timeNow()
if ARGV[2] ~= '' and nowMs > tonumber(ARGV[2]) then return ${TOO_LATE} end
local word = 4
for index = 1, #KEYS - 1 do
  local windowMs, entries = tonumber(ARGV[word]), tonumber(ARGV[word + 1])
  word = word + 2
  local counter = load(KEYS[index], windowMs, nowMs)
  for _ = 1, entries do
    put(counter, windowMs, tonumber(ARGV[word + 1]), nowMs - ARGV[word])
    word = word + 2
  end
  save(KEYS[index], counter, windowMs)
end
mark(KEYS[#KEYS], ARGV[3])
return ${GRANTED}
`,
};
