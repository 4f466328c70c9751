-- Says that requests still hold their slots, whatever the store remembers: the owner knows.
-- KEYS: the slots of one limit and subject. ARGV: microseconds added to the clock (0 but in tests), the time to
local time = redis.call('TIME')
local lapses = time[1] * 1000000 + time[2] + ARGV[1] + ARGV[2]
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], lapses, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(2 * ARGV[2] / 1000))
