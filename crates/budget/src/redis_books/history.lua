-- Stands in front of each script: the history of the store's data, which changes when it restarts, is promoted or fails
-- back. ARGV[1] stands in for it in tests, and is empty otherwise.
local function history()
  if ARGV[1] ~= '' then return ARGV[1] end
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  return run .. '.' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
end
