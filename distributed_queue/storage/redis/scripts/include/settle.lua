-- What each outcome of an attempt does to its task.
local COMPLETE, RETRY, BURY, RELEASE, SNOOZE, CANCEL_IT = 0, 1, 2, 3, 4, 5  -- codec.OUTCOMES

-- Whether the latest attempt of a task that does not run ended with this settlement: see core/replays.py.
local function is_replay(id, task, outcome, reason)
  local state, latest = task[STATE], task[ATTEMPT]
  if outcome == COMPLETE then return state == 'completed' end
  local kept = redis.call('HGET', TASK .. id, 'n' .. latest % HISTORY_LIMIT) or ''
  local readable, _, attempt, ended = pcall(cmsgpack.unpack_limit, kept, 2, 1)
  if not readable or attempt ~= latest or ended ~= outcome then return false end
  if outcome == BURY then return state == 'dead' and task[REASON] == reason end
  return outcome ~= RETRY or (state ~= 'dead' and tonumber(task[FAILURES] or 0) > 0)
end

local function complete(id, task, result)
  count('attempts.succeeded', task[TYPE])
  record(SUCCEEDED, id, task[ATTEMPT])
  if task[FAILURES] then redis.call('HDEL', TASK .. id, 'e') end
  if result then
    finish(id, task, 'completed', 'v', result)
  else
    finish(id, task, 'completed')
  end
end

local function note_failure(id, task, failure)
  count('attempts.failed', task[TYPE])
  redis.call('HINCRBY', TASK .. id, 'f', 1)
  if failure then
    redis.call('HSET', TASK .. id, 'e', failure)
  else
    redis.call('HDEL', TASK .. id, 'e')
  end
end

local function bury(id, task, reason)
  record(BURIED, id, task[ATTEMPT], cmsgpack.pack(reason))
  finish(id, task, 'dead', 'z', reason)
end

local function stop(id, task)
  record(STOPPED, id, task[ATTEMPT])
  finish(id, task, 'cancelled')
end

-- Apply the outcome to a task whose lease is held.
local function apply(id, task, outcome, delay, result, failure, reason, note)
  if outcome ~= COMPLETE or note then keep_attempt(id, task, outcome, note) end
  if outcome <= BURY then
    observe('duration', task[TYPE], now - (tonumber(task[STARTED]) or now))
  end
  remove(LEASES, id)
  if outcome == COMPLETE then return complete(id, task, result) end
  if outcome == RETRY or outcome == BURY then note_failure(id, task, failure) end
  if outcome == CANCEL_IT then count('attempts.cancelled', task[TYPE]) end
  if outcome == BURY then
    bury(id, task, reason)
  elseif outcome == CANCEL_IT or task[CANCEL] then
    stop(id, task)
  elseif outcome == RELEASE then
    record(RELEASED, id, task[ATTEMPT])
    make_ready(id, task, NOW, true)
  elseif outcome == RETRY then
    count('retries', task[TYPE])
    record(TO_RETRY, id, task[ATTEMPT])
    postpone(id, task, 'retrying', later + delay)
  else
    record(SNOOZED, id, task[ATTEMPT])
    postpone(id, task, 'scheduled', later + delay)
  end
end

-- Apply one settlement; whether it counted. It changes nothing where the attempt is over, unless it is a replay.
local function settle(id, attempt, outcome, delay, result, failure, reason, note)
  local task = load_task(id)
  if task and task[ATTEMPT] == attempt then
    if task[STATE] == 'processing' then
      apply(id, task, outcome, delay, result, failure, reason, note)
      return true
    end
    if is_replay(id, task, outcome, reason) then return true end
  end
  count('fenced.settle', '')
  return false
end

-- Complete a task that runs for the first time, which is what most settlements do, and needs to know little of it.
-- Where it is anything else: false, and nothing done.
local function complete_first(id, result)
  local key = TASK .. id
  local task = redis.call('HMGET', key, 's', 'a', 't', 'g')
  if task[1] ~= 'processing' or task[2] ~= '1' then return false end
  local task_type = task[3] or DEFAULT_TYPE
  observe('duration', task_type, now - tonumber(task[4]))
  remove(LEASES, id)
  count('attempts.succeeded', task_type)
  count('finished.completed', task_type)
  record(SUCCEEDED, id, 1)
  put(COMPLETED, NOW, id)
  if result then
    redis.call('HSET', key, 's', 'completed', 'v', result)
  else
    redis.call('HSET', key, 's', 'completed')
  end
  return true
end

-- Apply the settlement that begins at ARGV[at]: whether it counted, and where the next one begins. It is: id, attempt,
-- outcome * 16 + which of the optional values follow (1 result, 2 error, 4 reason, 8 note), the delay in ms for RETRY and SNOOZE,
-- then those values.
local function settle_next(at)
  local id, attempt, code = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  if attempt == '1' then
    if code == '0' and complete_first(id) then return true, at end
    if code == '1' and complete_first(id, ARGV[at]) then return true, at + 1 end
  end
  local outcome, given = math.floor(tonumber(code) / 16), tonumber(code) % 16
  local delay, result, failure, reason, note = 0, nil, nil, 'failed', nil
  if outcome == RETRY or outcome == SNOOZE then delay, at = tonumber(ARGV[at]), at + 1 end
  if given % 2 == 1 then result, at = ARGV[at], at + 1 end
  if given % 4 >= 2 then failure, at = ARGV[at], at + 1 end
  if given % 8 >= 4 then reason, at = ARGV[at], at + 1 end
  if given >= 8 then note, at = ARGV[at], at + 1 end
  return settle(id, tonumber(attempt), outcome, delay, result, failure, reason, note), at
end

-- Apply the `total` settlements that begin at ARGV[at]. Returns a text with a 1 for each that counted and a 0 for others.
local function settle_all(total, at)
  local counted, applied = {}, nil
  for i = 1, total do
    applied, at = settle_next(at)
    counted[i] = applied and '1' or '0'
  end
  flush_moves()
  return table.concat(counted)
end
