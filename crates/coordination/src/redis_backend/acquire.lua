-- Charges every claim or none, by the store's clock.
-- KEYS: one per claim. ARGV: the time in microseconds (empty but in tests), the request, then per claim its kind,
-- two numbers (crates/coordination/src/counter_key.rs, Algorithm) and its cost, which is at most what the limit admits at once.
-- Returns {0, the time} and per claim how many units its limit now counts, or the claim that takes longest to come free
-- and in how many microseconds. Numbers stay below 2^53, where doubles are exact. Versions of this script work on the same keys at once during a rolling update:
-- what a key of a given name holds never changes; whatever needs another layout takes another name.
local RING_SLOTS, SECOND, SLOT_WAIT = 65, 1000000, 1000000

local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * SECOND + time[2]
local request = ARGV[2]

-- Each rule returns how long to wait and nil, or 0 and what charges it, which returns what is then counted.
local rules = {}

-- At most n in any interval of 64 slots of `width`. A hash: t = newest slot, n = sum of all slots, and the
-- count of each slot under its number modulo 65.
function rules.ring(key, n, width, cost)
  local slot = math.floor(now / width)
  local head = redis.call('HMGET', key, 't', 'n')
  local newest, sum = tonumber(head[1]), tonumber(head[2]) or 0
  local lapsed, empty = {}, not newest or slot - newest >= RING_SLOTS
  if empty then
    sum = 0
  elseif slot < newest then
    -- The clock went back, so nobody knows when these were admitted: count all of them as of now.
    redis.call('DEL', key)
    redis.call('HSET', key, 't', slot, 'n', sum, slot % RING_SLOTS, sum)
    redis.call('PEXPIRE', key, math.ceil(2 * RING_SLOTS * width / 1000))
    newest = slot
  elseif slot > newest then
    for s = newest + 1, slot do lapsed[#lapsed + 1] = s % RING_SLOTS end
    for _, count in ipairs(redis.call('HMGET', key, unpack(lapsed))) do
      sum = sum - (tonumber(count) or 0)
    end
  end
  if sum + cost > n then
    local excess, fields = sum + cost - n, {}
    local oldest = slot - RING_SLOTS + 1
    for s = oldest, slot do fields[#fields + 1] = s % RING_SLOTS end
    local counts = empty and {} or redis.call('HMGET', key, unpack(fields))
    for i, count in ipairs(counts) do
      local s = oldest + i - 1
      local counted = tonumber(count) or 0
      if counted >= excess then return (s + RING_SLOTS) * width - now, nil end
      excess = excess - counted
    end
    return RING_SLOTS * width, nil
  end
  return 0, function()
    if empty then redis.call('DEL', key) end
    if #lapsed > 0 then redis.call('HDEL', key, unpack(lapsed)) end
    redis.call('HSET', key, 't', slot, 'n', sum + cost)
    redis.call('HINCRBY', key, slot % RING_SLOTS, cost)
    redis.call('PEXPIRE', key, math.ceil(2 * RING_SLOTS * width / 1000))
    return sum + cost
  end
end

-- A window that carries debt takes any cost while it has room for some of it.
function rules.debt(key, n, width, cost)
  local w = debt_open(key, n, width, now)
  local wait = cost == 0 and 0 or debt_wait(w, now)
  if wait > 0 then return wait, nil end
  return 0, function()
    debt_charge(w, cost)
    debt_save(w)
    return w.sum + w.debt
  end
end

-- Generic cell rate algorithm. A string: the theoretical arrival time in microseconds, and a remainder in
-- 1/rate of a microsecond. The level of the bucket is in cells of 1,000,000.
function rules.gcra(key, rate, burst, cost)
  local full, level = burst * SECOND, 0
  local function save(to)
    local ahead = math.floor(to / rate)
    local value = string.format('%.0f %.0f', now + ahead, to % rate)
    redis.call('SET', key, value, 'PX', math.ceil(ahead / 1000) + 2000)
  end
  local saved = redis.call('GET', key)
  if saved then
    local micros, rest = string.match(saved, '^(%d+) (%d+)$')
    if tonumber(micros) >= now then level = (micros - now) * rate + rest end
  end
  if level > full then
    -- The clock went back or the limit was lowered: the bucket is full, not fuller.
    level = full
    save(level)
  end
  local after = level + cost * SECOND
  if after > full then return math.ceil((after - full) / rate), nil end
  return 0, function()
    save(after)
    return math.ceil(after / SECOND)
  end
end

-- At most n at once. A sorted set: request by the time at which its slot lapses.
function rules.slots(key, n, ttl)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local held = redis.call('ZCARD', key)
  if held >= n then return SLOT_WAIT, nil end
  return 0, function()
    redis.call('ZADD', key, now + ttl, request)
    redis.call('PEXPIRE', key, math.ceil(2 * ttl / 1000))
    return held + 1
  end
end

local charges, worst, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local at = 4 * i - 1
  local n, time, cost = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local free_in, charge = rules[ARGV[at]](key, n, time, cost)
  charges[i] = charge
  if free_in > wait then worst, wait = i, free_in end
end
if worst > 0 then return { worst, wait } end
local reply = { 0, now }
for _, charge in ipairs(charges) do reply[#reply + 1] = charge() end
return reply
