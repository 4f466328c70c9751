-- What others published since a reader last asked and that has not ended.
-- KEYS: as in publish.lua. ARGV: the time in microseconds (empty but in tests), the reader, and the number up to
-- which it has read. Returns the newest number, and per record its key, its value and how many microseconds are left.
local order, records = KEYS[1], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000000 + time[2]

local newest = tonumber(redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2]) or 0
local read, found = tonumber(ARGV[3]), {}
-- The reader knows another history: this one is read from its beginning.
if newest < read then read = 0 end
local keys = redis.call('ZRANGEBYSCORE', order, string.format('(%.0f', read), '+inf')
if #keys > 0 then
  for i, record in ipairs(redis.call('HMGET', records, unpack(keys))) do
    local at, publisher, value = string.match(record or '', '^(%d+) (%S+) (.*)$')
    if at and publisher ~= ARGV[2] and tonumber(at) > now then
      found[#found + 1] = { keys[i], value, at - now }
    end
  end
end
return { newest, found }
