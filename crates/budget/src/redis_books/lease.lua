-- Writes down what a proxy keeps, and grants what it wants while the sum of all rows stays within the cap.
-- KEYS: the book, then one hash per named window of a budget.
-- ARGV: the history and the time in microseconds (empty but in tests), the token, the proxy, boot and number of the command, the slice; then
--   the number of caps, and per cap the budget, the cap and its revision;
--   the number of accounts, and per account its hash (a place in KEYS), budget, start of its window, start of the one
--   before, value of the dimension, and the authority that the proxy keeps;
--   the number of wants, and per want its amount, the number of its accounts and their places.
-- Returns 'lost', 'stale', 'wait', or 'ok', the authority granted per account, whether each want was admitted, and
-- whether each account is tight, and what is left of it (-1 where its window is over). Amounts stay below 2^53, where
-- doubles are exact.
--
-- The book: e = epoch, tok = token, closed, cap:<budget> = cap and revision, all:<budget> = every account above zero is
-- loaded, windows:<budget> = windows made in this life of the data (start:previous), edge:<budget> = start of the newest
-- window that was dropped, q:<proxy> = its newest command and the reply. A hash: s:<value> = sum of the rows,
-- r:<proxy>:<value> = the most that the proxy may have drawn, d:<value> = when a want was refused, in microseconds.
local REFUSED_LATELY, AHEAD = 1000000, 60

local book, token, proxy = KEYS[1], ARGV[3], ARGV[4]
local boot, number, slice = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local state = redis.call('HMGET', book, 'tok', 'closed', 'q:' .. proxy)
if state[1] ~= token or state[2] or string.match(token, '^(.*)/') ~= history() then return 'lost' end
if state[3] then
  local old_boot, old_number, reply = string.match(state[3], '^(%d+) (%d+) (.*)$')
  old_boot, old_number = tonumber(old_boot), tonumber(old_number)
  if old_boot == boot and old_number == number then return reply end
  if old_boot > boot or (old_boot == boot and old_number > number) then return 'stale' end
end

local time = redis.call('TIME')
local now = tonumber(ARGV[2]) or time[1] * 1000000 + time[2]
local seconds = math.floor(now / 1000000)
local at = 8
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local function take_number() return tonumber(take()) end
local function text(n) return string.format('%.0f', n) end

local caps = {}
for i = 1, take_number() do caps[i] = { budget = take(), cap = take_number(), revision = take_number() } end
local accounts, budgets = {}, {}
for i = 1, take_number() do
  local key, budget = KEYS[1 + take_number()], take()
  accounts[i] = { key = key, budget = budget, start = take_number(), previous = take_number(), value = take(),
    keep = take_number(), granted = 0 }
  if not budgets[budget] then
    local found = redis.call('HMGET', book, 'cap:' .. budget, 'all:' .. budget, 'windows:' .. budget, 'edge:' .. budget)
    local known = { complete = found[2], windows = found[3] or '', edge = tonumber(found[4]), cap = 0, revision = -1 }
    if found[1] then
      local cap, revision = string.match(found[1], '^(%d+) (%d+)$')
      known.cap, known.revision = tonumber(cap), tonumber(revision)
    end
    budgets[budget] = known
  end
end

local function beyond_edge(account)
  local edge = budgets[account.budget].edge
  return edge and account.start <= edge
end
local function is_named(account)
  return string.find(' ' .. budgets[account.budget].windows, ' ' .. text(account.start) .. ':', 1, true)
end

for _, account in ipairs(accounts) do
  if not beyond_edge(account) and account.start <= seconds + AHEAD then
    account.live = true
    local sum = redis.call('HGET', account.key, 's:' .. account.value)
    if is_named(account) then
      if not sum and redis.call('EXISTS', account.key) == 0 then return 'lost' end
    else
      sum = false
    end
    if not sum and not budgets[account.budget].complete then return 'wait' end
  end
end

-- From here on nothing fails.
for _, given in ipairs(caps) do
  local field = 'cap:' .. given.budget
  local found = redis.call('HGET', book, field)
  local revision = found and tonumber(string.match(found, ' (%d+)$')) or -1
  if given.revision > revision then
    redis.call('HSET', book, field, text(given.cap) .. ' ' .. text(given.revision))
    if budgets[given.budget] then budgets[given.budget].cap = given.cap end
  end
end

local root = string.match(book, '^(.*):book$')
for _, account in ipairs(accounts) do
  if account.live and not beyond_edge(account) then
    local budget = budgets[account.budget]
    if not is_named(account) then
      -- What an older life of the data may have left under the name.
      redis.call('UNLINK', account.key)
      local kept, edge = text(account.start) .. ':' .. text(account.previous) .. ' ', budget.edge
      for start, previous in string.gmatch(budget.windows, '(%-?%d+):(%-?%d+) ') do
        if tonumber(start) < account.previous then
          redis.call('UNLINK', root .. ':' .. account.budget .. ':' .. start)
          edge = math.max(edge or tonumber(start), tonumber(start))
        else
          kept = kept .. start .. ':' .. previous .. ' '
        end
      end
      budget.windows, budget.edge = kept, edge
      redis.call('HSET', book, 'windows:' .. account.budget, kept)
      if edge then redis.call('HSET', book, 'edge:' .. account.budget, text(edge)) end
    end
    redis.call('HSETNX', account.key, 's:' .. account.value, '0')
  end
end

for _, account in ipairs(accounts) do
  -- A newer window of the same command may have dropped an older one.
  account.live = account.live and not beyond_edge(account)
  if account.live then
    account.row = 'r:' .. proxy .. ':' .. account.value
    local found = redis.call('HMGET', account.key, account.row, 's:' .. account.value, 'd:' .. account.value)
    account.sum = tonumber(found[2]) + account.keep - (tonumber(found[1]) or 0)
    account.refused = tonumber(found[3])
    account.marked = found[3]
  end
end

local function room(account)
  -- Not even nothing fits into a window that was dropped.
  return account.live and budgets[account.budget].cap - account.sum or -1
end

local admitted, largest = {}, 0
for i = 1, take_number() do
  local amount, places, fits = take_number(), {}, true
  largest = math.max(largest, amount)
  for k = 1, take_number() do
    places[k] = accounts[take_number()]
    if room(places[k]) < amount then fits = false end
  end
  for _, account in ipairs(places) do
    if fits then
      account.granted, account.sum = account.granted + amount, account.sum + amount
    elseif room(account) < amount then
      account.refused_now = true
    end
  end
  admitted[i] = fits and '1' or '0'
end

local granted, tight, rooms = {}, {}, {}
for i, account in ipairs(accounts) do
  tight[i] = '0'
  if account.live then
    local left = room(account)
    if account.refused_now then account.refused = now end
    local refused = account.refused and now - account.refused < REFUSED_LATELY
    if refused or left < 8 * largest then tight[i] = '1' end
    -- The row is there before the holders are counted.
    redis.call('HSET', account.key, account.row, text(account.keep + account.granted))
    if account.value == '' and not refused then
      local holders = redis.call('HLEN', account.key) - 1 - (account.marked and 1 or 0)
      local spare = math.min(slice, math.floor(left / (2 * holders)))
      if spare > 0 then
        account.granted, account.sum = account.granted + spare, account.sum + spare
        redis.call('HSET', account.key, account.row, text(account.keep + account.granted))
      end
    end
    redis.call('HSET', account.key, 's:' .. account.value, text(account.sum))
    if account.refused_now then redis.call('HSET', account.key, 'd:' .. account.value, text(now)) end
  end
  granted[i], rooms[i] = text(account.granted), text(room(account))
end

local reply = table.concat({ 'ok', table.concat(granted, ','), table.concat(admitted, ','), table.concat(tight, ','),
  table.concat(rooms, ',') }, ' ')
redis.call('HSET', book, 'q:' .. proxy, text(boot) .. ' ' .. text(number) .. ' ' .. reply)
return reply
