-- Ends a book: it grants nothing more.
-- KEYS: the book. ARGV: the history (empty but in tests), the token.
-- Returns nothing where it is another book, was not loaded completely, or lost data; else, in pairs, 'window' with its
-- budget, start and start of the one before, and 'edge' with its budget and start. A book that was closed answers again.
local book, token = KEYS[1], ARGV[2]
if redis.call('HGET', book, 'tok') ~= token or string.match(token, '^(.*)/') ~= history() then return {} end
local all = redis.call('HGETALL', book)
local complete, budgets, answer = {}, {}, { 'closed', '' }
local root = string.match(book, '^(.*):book$')
for i = 1, #all, 2 do
  local kind, budget = string.match(all[i], '^(%a+):(.*)$')
  if kind == 'all' then
    complete[budget] = true
  elseif kind == 'cap' or kind == 'windows' or kind == 'edge' then
    budgets[budget] = true
  end
  if kind == 'edge' then
    answer[#answer + 1] = 'edge'
    answer[#answer + 1] = budget .. ' ' .. all[i + 1]
  elseif kind == 'windows' then
    for start, previous in string.gmatch(all[i + 1], '(%-?%d+):(%-?%d+) ') do
      if redis.call('EXISTS', root .. ':' .. budget .. ':' .. start) == 0 then return {} end
      answer[#answer + 1] = 'window'
      answer[#answer + 1] = budget .. ' ' .. start .. ' ' .. previous
    end
  end
end
for budget in pairs(budgets) do
  if not complete[budget] then return {} end
end
redis.call('HSET', book, 'closed', '1')
return answer
