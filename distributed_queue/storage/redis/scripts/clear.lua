-- Forget some of the tasks of a queue, in any state. See Storage.clear, which calls this until nothing is left.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 most tasks to forget, 4 '1' where that is all that there was, else '0'
-- Result  how many were forgotten
-- Cost    about 10 µs and 1 µs a task
-- include: time, queue, operation, entry, journal, types, counters, moves, step

local function clear_some(index, wanted)
  local ids = redis.call('ZRANGE', index, 0, wanted - 1)
  local keys = {}
  for i, id in ipairs(ids) do
    keys[i] = TASK .. id
    remove(index, id)
    remove(EXPIRY, id)
  end
  forget(keys)
  return #ids
end

local answered = recall()
if answered then return answered end
open_queue(1)
write_even_if_full()
local LIMIT = tonumber(ARGV[3])
local cleared = 0
for _, index in ipairs({READY, SCHEDULED, RETRYING, LEASES, DEAD, COMPLETED, CANCELLED, EXPIRED}) do
  if cleared < LIMIT then cleared = cleared + clear_some(index, LIMIT - cleared) end
end
if ARGV[4] == '1' then record(CLEARED, '', 0) end
remember(cleared)
finish_step()
return cleared
