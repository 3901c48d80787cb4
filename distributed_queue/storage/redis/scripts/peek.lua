-- Look whether a claim would give something. Changes nothing.
-- KEYS    a queue's
-- ARGV    1 now in ms or '', 2 '1' to look also for what a claim would only tidy up, else '0'
-- Result  1 or 0, ms until a claim may give something or '', 1 where there is something to tidy up, else 0
-- Cost    about 6 µs
-- include: time, queue, moves, limits, overdue

open_queue(1)
local claimable, foreseen = outlook()
local untidy = false
if ARGV[2] == '1' then
  local expires, due = head(EXPIRY), least(head(SCHEDULED), head(RETRYING))
  -- A due task counts also where the queue is paused: it becomes ready all the same.
  untidy = expires and expires <= now or due and due <= now or overdue_count() > 0
end
return {claimable and 1 or 0, foreseen and string.format('%.17g', foreseen) or '', untidy and 1 or 0}
