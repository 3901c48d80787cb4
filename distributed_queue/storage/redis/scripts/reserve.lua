-- Hold room in a queue for a part of a batch whose other parts lie on other servers, or give it back.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 for how many tasks to give room back, 4… runs of tasks to hold it for (see room.lua)
-- Result  for how many tasks room is held now, 0 where there is no limit; or, with nothing held: depth and limit
-- Cost    about 6 µs; 1 µs a task where there is a limit
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, limits, room

local GIVEN_BACK, FIRST = tonumber(ARGV[3]), 4

local answered = recall()
if answered then return answered end
open_queue(1)
if GIVEN_BACK > 0 then hold(-GIVEN_BACK) end
local full, waiting, limit = is_full(FIRST, #ARGV)
if full then return {waiting, limit} end
local new = setting('max_size') and count_new(FIRST, #ARGV) or 0
if new > 0 then hold(new) end
remember(new)
save_meta()
return new
