-- What opens each claim: leases that ran out, tasks that came too late, tasks that are due.
local SWEEP_LIMIT = 1000

local function until_now(index)
  local soonest = head(index)
  if not soonest or soonest > now then return {} end
  return redis.call('ZRANGEBYSCORE', index, '-inf', NOW, 'LIMIT', 0, SWEEP_LIMIT)
end

local function take_back_one(id, task, max_crashes)
  local crashes = redis.call('HINCRBY', TASK .. id, 'k', 1)
  keep_attempt(id, task, CRASHED)
  remove(LEASES, id)
  record(LEASE_LOST, id, task[ATTEMPT])
  count('attempts.lost', task[TYPE])
  if task[CANCEL] then
    stop(id, task)
  elseif crashes >= max_crashes then
    count('poisoned', task[TYPE])
    bury(id, task, 'crashed')
  else
    make_ready(id, task, NOW, true)
  end
end

-- Take back leases that ran out, each of which is a crash.
local function take_back()
  local max_crashes = setting('max_crashes', 3)
  for _, id in ipairs(until_now(LEASES)) do
    local task = load_indexed(id, 'processing')
    if task then take_back_one(id, task, max_crashes) end
  end
  flush_moves()
end

local function expire(id, task)
  record(TOO_LATE, id, task[ATTEMPT])
  finish(id, task, 'expired')
end

-- Expire tasks that wait for longer than they may.
local function expire_waiting()
  for _, id in ipairs(until_now(EXPIRY)) do
    local task = load_indexed(id, 'pending', 'scheduled', 'retrying')
    if task then
      leave(id, task)
      expire(id, task)
    end
  end
  flush_moves()
end

-- Let what is due be claimed, in the order of (due, id).
local function promote()
  local lists = {}
  for _, index in ipairs({SCHEDULED, RETRYING}) do
    local soonest = head(index)
    if soonest and soonest <= now then
      local range = {'-inf', NOW, 'WITHSCORES', 'LIMIT', 0, SWEEP_LIMIT}
      add_list(lists, index, redis.call('ZRANGEBYSCORE', index, unpack(range)))
    end
  end
  visit_merged(lists, SWEEP_LIMIT, function(id, since, index)
    local task = load_indexed(id, 'scheduled', 'retrying')
    if task then
      remove(index, id)
      if task[EXPIRES] then remove(EXPIRY, id) end
      record(DUE, id, task[ATTEMPT])
      make_ready(id, task, whole_text(since), false)
    end
  end)
  flush_moves()
end

local function sweep()
  take_back()
  expire_waiting()
  promote()
end
