-- Make tasks ready, now or later, with a clean slate but their attempt. See Storage.requeue.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3… ids, each with a delay in ms
-- Result  a text with a 1 for each task made ready and a 0 for others
-- Cost    about 10 µs and 6 µs a task
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, load, limits, step

local function requeue(id, delay)
  local task = load_task(id)
  local state = task and task[STATE]
  if not state or state == 'pending' or state == 'processing' or state == 'completed' then return false end
  leave(id, task)
  redis.call('HDEL', TASK .. id, 'f', 'k', 'e', 'v', 'h', 'z', 'x', 'q')
  task[EXPIRES] = false
  record(REQUEUED, id, task[ATTEMPT])
  if delay > 0 then
    postpone(id, task, 'scheduled', later + delay)
  else
    make_ready(id, task, NOW, false)
  end
  return true
end

local answered = recall()
if answered then return answered end
open_queue(1)
local flags = {}
local _, _, before = outlook()
for i = 3, #ARGV, 2 do
  flags[#flags + 1] = requeue(ARGV[i], tonumber(ARGV[i + 1])) and '1' or '0'
end
flush_moves()
if change_count > 0 then
  local claimable, _, soonest = outlook()
  if claimable or soonest and (not before or soonest < before) then wake() end
end
local answer = table.concat(flags)
remember(answer)
finish_step()
return answer
