-- Keeps the newest record of each key for as long as it says, and only so many in all.
-- KEYS: when each key was published (a sorted set of numbers that only grow), when its record ends (a sorted set),
-- and the records (a hash: end, publisher, value). ARGV: the time in microseconds (empty but in tests), the
-- publisher, how many records are kept, then per record its key, its value and its time to live in microseconds.
local order, ends, records = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000000 + time[2]

local function forget(keys)
  if #keys == 0 then return end
  redis.call('ZREM', order, unpack(keys))
  redis.call('ZREM', ends, unpack(keys))
  redis.call('HDEL', records, unpack(keys))
end

-- Numbers are times, so that they also grow where the store has forgotten the ones before.
local newest = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')
local number = math.max(tonumber(newest[2]) or 0, now)
for i = 4, #ARGV, 3 do
  local key, value, at = ARGV[i], ARGV[i + 1], now + tonumber(ARGV[i + 2])
  number = number + 1
  redis.call('ZADD', order, number, key)
  redis.call('ZADD', ends, at, key)
  redis.call('HSET', records, key, string.format('%.0f ', at) .. ARGV[2] .. ' ' .. value)
end

forget(redis.call('ZRANGEBYSCORE', ends, '-inf', now))
-- What ends soonest goes first: a flood of short records displaces no long one.
local excess = redis.call('ZCARD', ends) - tonumber(ARGV[3])
if excess > 0 then forget(redis.call('ZRANGE', ends, 0, excess - 1)) end

local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')
if last[2] then
  local left = math.ceil((last[2] - now) / 1000)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, left) end
end
