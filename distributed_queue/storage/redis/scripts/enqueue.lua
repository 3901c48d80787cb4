-- Store tasks in one queue or several: all, or none. See Storage.enqueue.
-- KEYS    those of each queue, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 number of queues, 4 for how many tasks reserve.lua holds room in the one queue, or
--         ''; for each queue the number of its values that follow, then runs of tasks alike (see room.lua): how many, type,
--         priority, execute_after in ms or '', delay in ms or '', expires_at in ms or '', then id and body of each
-- Result  a text with a 1 for each task stored and a 0 for each known already, in the order given;
--         or, with nothing stored: number of the full queue, its depth, its limit
-- Cost    about 8 µs and 4 µs a task; before them 1 µs a task where the size limit is near
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, limits, room, step

local QUEUES, HELD = tonumber(ARGV[3]), tonumber(ARGV[4])

-- When the tasks of a run become ready; nil for at once.
local function due_time(execute_after, delay)
  local due = tonumber(execute_after) or 0
  if delay ~= '' and tonumber(delay) > 0 then due = math.max(due, later + tonumber(delay)) end
  return due > now and due or nil
end

-- Store a task, unless there is something at its key, be it no task's; whether it was stored.
local function write_new(key, body, task_type)
  if redis.call('EXISTS', key) == 1 then return false end
  if task_type == DEFAULT_TYPE then
    redis.call('HSET', key, 'b', body, 'c', NOW)
  else
    redis.call('HSET', key, 'b', body, 't', task_type, 'c', NOW)
  end
  return true
end

-- Store the tasks of one run.
local function store_run(at, total, flags)
  local task_type, priority, expires = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 5]
  local due = due_time(ARGV[at + 3], ARGV[at + 4])
  local base = priority * SEQUENCES
  local sequence = setting('sequence', 0)
  local stored = 0
  for i = at + RUN_HEAD, at + RUN_HEAD + 2 * total - 1, 2 do
    local id = ARGV[i]
    local key = TASK .. id
    if not write_new(key, ARGV[i + 1], task_type) then
      flags[#flags + 1] = '0'
    else
      flags[#flags + 1] = '1'
      stored = stored + 1
      record(ENQUEUED, id, 0)
      if expires ~= '' then
        redis.call('HSET', key, 'x', expires)
        put(EXPIRY, expires, id)
      end
      if due then
        redis.call('HSET', key, 's', 'scheduled', 'o', digits(base))
        put(SCHEDULED, due, id)
      else
        sequence = sequence + 1
        put(READY, digits(base + sequence), id)
      end
    end
  end
  if not due and stored > 0 then set_meta('sequence', sequence) end
  if stored > 0 then count('enqueued', task_type, stored) end
  if stored < total then count('deduplicated', task_type, total - stored) end
end

-- Whether whatever is ready may be claimed.
local function is_open()
  return meta.paused ~= '1' and not meta.rate_limit and not meta.concurrency
end

-- Store the tasks of one queue, and wake a waiter if that is news: work now, or an earlier time to come back at.
local function store(first, last, flags)
  each_run(first, last, function(at, total) store_run(at, total, flags) end)
  if puts[READY] and is_open() then
    wake()
  elseif change_count > 0 then
    local _, _, before = outlook()  -- of what was there: what was stored is not in its index yet
    flush_moves()
    local claimable, _, soonest = outlook()
    if claimable or soonest and (not before or soonest < before) then wake() end
  end
  finish_step()
end

-- Where the values of each queue are in ARGV.
local function blocks()
  local found, at = {}, 5
  for nth = 1, QUEUES do
    found[nth] = {at + 1, at + tonumber(ARGV[at])}
    at = found[nth][2] + 1
  end
  return found
end

local answered = recall()
if answered then return answered end
local parts = blocks()
for nth, part in ipairs(parts) do
  open_queue(nth)
  if HELD then
    hold(-HELD)
  else
    local full, waiting, limit = is_full(part[1], part[2])
    if full then return {nth, waiting, limit} end
  end
end
local flags = {}
for nth, part in ipairs(parts) do
  if QUEUES > 1 then open_queue(nth) end
  store(part[1], part[2], flags)
end
local answer = table.concat(flags)
remember(answer)
return answer
