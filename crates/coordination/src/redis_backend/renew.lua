-- Says that requests still hold their slots, whatever the store remembers: the owner knows.
-- KEYS: the slots of one limit and subject. ARGV: the time in microseconds (empty but in tests), the time to
-- live in microseconds, then the requests.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000000 + time[2]
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(2 * ARGV[2] / 1000))
