-- Cancel what waits, ask what runs to stop. See Storage.cancel.
-- KEYS    a queue's
-- ARGV    1 now in ms or '', 2… ids
-- Result  for each: nil, or what describe.lua tells of it afterwards
-- Cost    about 10 µs and 8 µs a task
-- include: time, queue, entry, journal, order, types, counters, moves, task, load, describe, step

local function cancel(id)
  local task = load_task(id)
  if not task then return end
  if is_waiting(task[STATE]) then
    leave(id, task)
    record(STOPPED, id, task[ATTEMPT])
    finish(id, task, 'cancelled')
  elseif task[STATE] == 'processing' and not task[CANCEL] then
    redis.call('HSET', TASK .. id, 'q', 1)
    record(CANCEL_REQUESTED, id, task[ATTEMPT])
  end
end

open_queue(1)
write_even_if_full()
for i = 2, #ARGV do
  cancel(ARGV[i])
end
finish_step()
local found = {}
for i = 2, #ARGV do
  found[i - 1] = describe(ARGV[i])
end
return found
