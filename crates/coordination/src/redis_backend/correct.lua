-- Corrects what windows with debt were charged, by the store's clock.
-- KEYS: one per correction. ARGV: the time in microseconds (empty but in tests), then per key the two numbers of its rule,
-- the slot in which it was charged, and what it has to be charged more; less than 0 to give back.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local n, width, slot, more = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local w = debt_open(key, n, width, now)
  if more >= 0 then debt_charge(w, more) else debt_refund(w, slot, -more) end
  debt_save(w)
end
return 0
