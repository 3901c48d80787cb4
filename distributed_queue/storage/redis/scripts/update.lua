-- Change a task: all changes, or none. See Storage.update.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 id, 4 attempt or '', 5 which of these follow (1 priority, 2 body,
--         4 execute_after in ms, 8 progress, 16 note), 6… they
-- Result  1 or 0
-- Cost    about 25 µs
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, load, limits, history, step

local RUNNING = 7  -- codec.ATTEMPT_OUTCOMES
local ID, TASK_ATTEMPT, GIVEN = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local function given_values()
  local values, at, rest = {}, 6, GIVEN
  for _, name in ipairs({'priority', 'body', 'execute_after', 'progress', 'note'}) do
    if rest % 2 == 1 then values[name], at = ARGV[at], at + 1 end
    rest = math.floor(rest / 2)
  end
  return values
end

local function fits(task, values)
  local state = task[STATE]
  if TASK_ATTEMPT and TASK_ATTEMPT ~= task[ATTEMPT] then return false end
  if (values.progress or values.note) and not (TASK_ATTEMPT and state == 'processing') then return false end
  if (values.priority or values.body) and not is_waiting(state) then return false end
  return not values.execute_after or state == 'scheduled' or state == 'retrying'
end

local function set_priority(task, priority)
  local pending = task[STATE] == 'pending'
  local order = tonumber(pending and redis.call('ZSCORE', READY, ID) or task[ORDER])
  order = priority * SEQUENCES + order % SEQUENCES
  if pending then
    put(READY, order, ID)
  else
    redis.call('HSET', TASK .. ID, 'o', digits(order))
  end
end

local function update()
  local task = load_task(ID)
  local values = given_values()
  if not task or not fits(task, values) then return 0 end
  if values.progress then redis.call('HSET', TASK .. ID, 'h', values.progress) end
  if values.note then keep_attempt(ID, task, RUNNING, values.note) end
  if values.body then redis.call('HSET', TASK .. ID, 'b', values.body) end
  if values.priority then set_priority(task, tonumber(values.priority)) end
  if values.execute_after then put(index_of(task[STATE]), values.execute_after, ID) end
  record(UPDATED, ID, task[ATTEMPT])
  return 1
end

local answered = recall()
if answered then return answered end
open_queue(1)
local _, _, before = outlook()
local answer = update()
flush_moves()
local claimable, _, soonest = outlook()
if claimable or soonest and (not before or soonest < before) then wake() end
if answer == 1 then remember(answer) end
finish_step()
return answer
