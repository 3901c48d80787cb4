-- Room under the size limit of the queue in hand, for tasks that are given in runs of those alike: how many, type, priority,
-- execute_after, delay, expires_at, then id and body of each. Some of it may be held, for a short while, for batches
-- that go to several queues of a Cluster.
local RUN_HEAD = 6
local HOLD_MS = 5000

-- Call visit with the position of each run's head in ARGV.
local function each_run(first, last, visit)
  local at = first
  while at <= last do
    visit(at, tonumber(ARGV[at]))
    at = at + RUN_HEAD + 2 * tonumber(ARGV[at])
  end
end

-- For how many tasks there is a hold. It ends by itself, so that what a dead client holds is not lost for ever.
local function held()
  return setting('held_until', 0) > now and setting('held', 0) or 0
end

-- Hold room for so many more, or fewer.
local function hold(by)
  set_meta('held', math.max(0, held() + by))
  if by > 0 then set_meta('held_until', string.format('%.0f', now + HOLD_MS)) end
end

-- How many of the tasks are new to the queue.
local function count_new(first, last)
  local seen, new = {}, 0
  each_run(first, last, function(at, total)
    for i = at + RUN_HEAD, at + RUN_HEAD + 2 * total - 1, 2 do
      local id = ARGV[i]
      if not seen[id] and redis.call('EXISTS', TASK .. id) == 0 then new = new + 1 end
      seen[id] = true
    end
  end)
  return new
end

-- Whether the queue has no room for the tasks that are new to it; how many wait, and its limit.
local function is_full(first, last)
  local limit = setting('max_size')
  if not limit then return false end
  local waiting, arriving = depth() + held(), 0
  each_run(first, last, function(_, total) arriving = arriving + total end)
  if waiting + arriving <= limit then return false end
  local new = count_new(first, last)
  return new > 0 and waiting + new > limit, waiting, limit
end
