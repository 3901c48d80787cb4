-- Look what a claim would give. Changes nothing.
-- KEYS    a queue's
-- ARGV    1 now in ms or '', 2 most tasks to claim, or '' where only the first two values of the result are wanted,
--         3 '1' where attempts are to be settled before, '2' where these may give tasks back, else ''
-- Result  how many tasks it would give; ms until a claim may give something or ''; 1 where a claim would tidy up first,
--         which may make them more, else 0; 1 where a claim would leave work to a waiter that nothing has woken yet, else 0.
--         Without ARGV[2]: whether it would give any (1 or 0); ms as above; now in ms
-- Cost    about 6 µs
-- include: time, queue, moves, limits, overdue

-- A due task counts also where the queue is paused: it becomes ready all the same.
local function is_untidy(settles)
  if settles == '2' or settles == '1' and meta.concurrency then return true end
  local expires, due, lease = head(EXPIRY), least(head(SCHEDULED), head(RETRYING)), head(LEASES)
  return expires and expires <= now or due and due <= now or lease and lease <= now or overdue_count() > 0
end

open_queue(1)
local WANTED = tonumber(ARGV[2])
local claimable, foreseen, soonest = outlook()
local until_then = foreseen and string.format('%.17g', foreseen) or ''
if not WANTED then return {claimable and 1 or 0, until_then, NOW} end
local news = claimable or soonest and soonest < RELAY_MS
local unwoken = news and redis.call('ZCARD', WAKE) == 0
return {claimable and gcra(room(WANTED)) or 0, until_then, is_untidy(ARGV[3]) and 1 or 0, unwoken and 1 or 0}
