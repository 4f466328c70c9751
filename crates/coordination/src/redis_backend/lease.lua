-- Takes or renews a lease, or gives it back where the time is 0; only its holder renews or gives back.
-- KEYS: the lease. ARGV: who asks, for how many milliseconds. Returns whether the asker held it or holds it now.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
