-- Begins an empty book of a new epoch.
-- KEYS: the book. ARGV: the history (empty but in tests), the epoch; the number of caps, and per cap the budget, the cap
-- and its revision; the number of edges, and per edge the budget and the start of the newest window that was dropped.
-- Returns the token, or '' where a book of that epoch or a later one is there.
local book, epoch = KEYS[1], tonumber(ARGV[2])
local old = redis.call('HGETALL', book)
for i = 1, #old, 2 do
  if old[i] == 'e' and tonumber(old[i + 1]) >= epoch then return '' end
end
local root = string.match(book, '^(.*):book$')
for i = 1, #old, 2 do
  local budget = string.match(old[i], '^windows:(.*)$')
  if budget then
    for start in string.gmatch(old[i + 1], '(%-?%d+):%-?%d+ ') do
      redis.call('UNLINK', root .. ':' .. budget .. ':' .. start)
    end
  end
end
redis.call('UNLINK', book)

local time = redis.call('TIME')
local token = history() .. '/' .. string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
redis.call('HSET', book, 'e', ARGV[2], 'tok', token)
local at = 3
local function take()
  at = at + 1
  return ARGV[at - 1]
end
for _ = 1, tonumber(take()) do
  local budget = take()
  redis.call('HSET', book, 'cap:' .. budget, take() .. ' ' .. take())
end
for _ = 1, tonumber(take()) do
  local budget = take()
  redis.call('HSET', book, 'edge:' .. budget, take())
end
return token
