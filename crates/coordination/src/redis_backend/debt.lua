-- A window that carries debt: at most n units in any interval of 64 slots of `width`; what was charged beyond that, because
-- the true cost came later, is carried and takes room as it comes free. A hash: t = newest slot, n = sum of all slots,
-- d = debt, and the count of each slot under its number modulo 65. local_backend/debt_window.rs has the same in Rust.
local DEBT_SLOTS, MOST_DEBT, LONGEST_WAIT = 65, 1000000000000, 100000000000000

-- The window as it is in the slot of `now`, not yet written back.
local function debt_open(key, n, width, now)
  local slot = math.floor(now / width)
  local head = redis.call('HMGET', key, 't', 'n', 'd')
  local w = {
    key = key, n = n, width = width, newest = tonumber(head[1]) or slot,
    sum = tonumber(head[2]) or 0, debt = tonumber(head[3]) or 0, counts = nil, changed = {},
  }
  local function load()
    if w.counts then return end
    w.counts = {}
    local fields = {}
    for index = 0, DEBT_SLOTS - 1 do fields[#fields + 1] = index end
    for i, count in ipairs(redis.call('HMGET', key, unpack(fields))) do
      w.counts[i - 1] = tonumber(count) or 0
    end
  end
  function w.count(s)
    load()
    return w.counts[s % DEBT_SLOTS]
  end
  function w.put(s, count)
    load()
    w.counts[s % DEBT_SLOTS] = count
    w.changed[s % DEBT_SLOTS] = count
  end
  if slot < w.newest then
    -- The clock went back, so nobody knows when these were charged: count all of them as of now.
    local sum = w.sum
    for s = 0, DEBT_SLOTS - 1 do w.put(s, 0) end
    w.newest = slot
    if sum > 0 then w.put(slot, sum) end
  end
  while w.newest < slot do
    local ahead = slot - w.newest
    if w.sum == n and w.debt >= n and ahead >= DEBT_SLOTS then
      -- In a whole turn every slot lapses and is filled again from the debt.
      local turns = math.min(math.floor(ahead / DEBT_SLOTS), math.floor(w.debt / n))
      w.debt = w.debt - turns * n
      w.newest = w.newest + turns * DEBT_SLOTS
    elseif w.sum == 0 and w.debt == 0 then
      w.newest = slot
    else
      w.newest = w.newest + 1
      local lapsed = w.count(w.newest)
      w.sum = w.sum - lapsed
      local filled = math.min(w.debt, math.max(n - w.sum, 0))
      w.sum, w.debt = w.sum + filled, w.debt - filled
      if lapsed ~= filled then w.put(w.newest, filled) end
    end
  end
  return w
end

-- Microseconds until something may be charged; 0 when it may now.
local function debt_wait(w, now)
  if w.debt == 0 and w.sum < w.n then return 0 end
  local need = w.debt + w.sum - w.n + 1
  local turns = math.floor((need - 1) / w.n)
  local rest = need - turns * w.n
  for s = w.newest - DEBT_SLOTS + 1, w.newest do
    rest = rest - w.count(s)
    if rest <= 0 then return math.min((s + DEBT_SLOTS * (turns + 1)) * w.width - now, LONGEST_WAIT) end
  end
  return math.min(DEBT_SLOTS * (turns + 1) * w.width, LONGEST_WAIT)
end

local function debt_charge(w, cost)
  local fits = math.min(cost, math.max(w.n - w.sum, 0))
  if fits > 0 then w.put(w.newest, w.count(w.newest) + fits) end
  w.sum = w.sum + fits
  w.debt = math.min(w.debt + cost - fits, MOST_DEBT)
end

-- Takes back what was charged in `slot`, as far as it still counts.
local function debt_refund(w, slot, amount)
  local carried = math.min(amount, w.debt)
  w.debt = w.debt - carried
  amount = amount - carried
  if slot > w.newest or slot <= w.newest - DEBT_SLOTS then return end
  local counted = math.min(amount, w.count(slot))
  if counted > 0 then w.put(slot, w.count(slot) - counted) end
  w.sum = w.sum - counted
end

local function debt_save(w)
  local gone = {}
  for index, count in pairs(w.changed) do
    if count == 0 then gone[#gone + 1] = index else redis.call('HSET', w.key, index, count) end
  end
  if #gone > 0 then redis.call('HDEL', w.key, unpack(gone)) end
  redis.call('HSET', w.key, 't', w.newest, 'n', w.sum, 'd', w.debt)
  local turns = 2 + math.min(math.floor(w.debt / w.n), 10000)
  redis.call('PEXPIRE', w.key, math.ceil(turns * DEBT_SLOTS * w.width / 1000))
end
