-- Forget tasks that do not run. See Storage.delete.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3… ids
-- Result  a text with a 1 for each task forgotten and a 0 for others
-- Cost    about 10 µs and 5 µs a task
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, load, step

local function delete(id)
  local task = load_task(id)
  if not task or task[STATE] == 'processing' then return false end
  leave(id, task)
  redis.call('UNLINK', TASK .. id)
  record(DELETED, id, task[ATTEMPT])
  return true
end

local answered = recall()
if answered then return answered end
open_queue(1)
write_even_if_full()
local flags = {}
for i = 3, #ARGV do
  flags[#flags + 1] = delete(ARGV[i]) and '1' or '0'
end
local answer = table.concat(flags)
remember(answer)
finish_step()
return answer
