-- Puts rows into a book that was begun; an account that is there, or whose budget is complete, is left alone.
-- KEYS: the book, then one hash per window of a budget.
-- ARGV: the history (empty but in tests), the token; the number of accounts, and per account its hash (a place in KEYS),
-- budget, start of its window, start of the one before, value of the dimension, the number of its rows, and per row the
-- proxy and its authority; the number of budgets that are complete with these rows, and each.
-- Returns 1, or 0 when the book is not the one that the token names, or lost data.
local book, token = KEYS[1], ARGV[2]
local state = redis.call('HMGET', book, 'tok', 'closed')
if state[1] ~= token or state[2] or string.match(token, '^(.*)/') ~= history() then return 0 end

local at = 3
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local function take_number() return tonumber(take()) end

local fresh = {}
for _ = 1, take_number() do
  local account = { key = KEYS[1 + take_number()], budget = take(), start = take(), previous = take(), value = take() }
  local rows, sum = {}, 0
  for _ = 1, take_number() do
    local proxy, amount = take(), take()
    rows[#rows + 1] = 'r:' .. proxy .. ':' .. account.value
    rows[#rows + 1] = amount
    sum = sum + tonumber(amount)
  end
  account.rows, account.sum = rows, sum
  local found = redis.call('HMGET', book, 'all:' .. account.budget, 'windows:' .. account.budget, 'edge:' .. account.budget)
  local beyond = found[3] and tonumber(account.start) <= tonumber(found[3])
  local named = string.find(' ' .. (found[2] or ''), ' ' .. account.start .. ':', 1, true)
  if not found[1] and not beyond then
    if named and redis.call('EXISTS', account.key) == 0 then return 0 end
    if not named or redis.call('HEXISTS', account.key, 's:' .. account.value) == 0 then fresh[#fresh + 1] = account end
  end
end
for _, account in ipairs(fresh) do
  local field = 'windows:' .. account.budget
  local windows = redis.call('HGET', book, field) or ''
  if not string.find(' ' .. windows, ' ' .. account.start .. ':', 1, true) then
    redis.call('UNLINK', account.key)
    redis.call('HSET', book, field, windows .. account.start .. ':' .. account.previous .. ' ')
  end
  redis.call('HSET', account.key, 's:' .. account.value, string.format('%.0f', account.sum), unpack(account.rows))
end
for _ = 1, take_number() do redis.call('HSET', book, 'all:' .. take(), '1') end
return 1
