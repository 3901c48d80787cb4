-- Settle, then claim, in one queue. See Storage.exchange.
-- KEYS    a queue's, then the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 '1' where an earlier exchange under this token was never answered, else '0',
--         4 worker id, 5 most tasks to claim or '' for no claim, 6 lease in ms, 7 number of settlements, 8… settlements
-- Result  counted (a 0 or 1 for each settlement), now, ms until claiming again may give more or '', claims, six values
--         each (see take.lua)
-- Cost    about 12 µs and 9 µs for each task settled and claimed
-- include: time, queue, operation, entry, journal, order, types, counters, moves, task, load, limits, history, settle, precedes, merge, sweep, overdue, trim, take, step

local AGAIN, WORKER, LIMIT, LEASE_MS = ARGV[3] == '1', ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local SETTLEMENTS = tonumber(ARGV[7])

-- Add to claims what this operation claimed before and still holds, with leases that begin anew.
local function hand_over_again(claims, held, deadline)
  for i = 1, #held, 2 do
    local id, attempt = held[i], held[i + 1]
    local fields = fields_of(redis.pcall('HGETALL', TASK .. id))
    if fields.s == 'processing' and tonumber(fields.a) == attempt and fields.w == WORKER then
      put(LEASES, deadline, id)
      hand_over(claims, id, attempt, fields.o, fields)
    end
  end
  flush_moves()
end

local function remember_exchange(counted, claims)
  local held = {}
  for i = 1, #claims, 6 do
    held[#held + 1] = claims[i]
    held[#held + 1] = claims[i + 1]
  end
  remember({counted, held}, math.max(60000, LEASE_MS))
end

open_queue(1)
write_even_if_full()
local earlier = recall()
local claims = {}
local counted = earlier and not AGAIN and earlier[1] or settle_all(SETTLEMENTS, 8)
local has_room = false
if LIMIT then
  local deadline = digits(later + LEASE_MS)
  if earlier then hand_over_again(claims, earlier[2], deadline) end
  sweep()
  trim(SETTLEMENTS > 0 and 2 * SWEEP_LIMIT or SWEEP_LIMIT)
  local wanted = LIMIT - #claims / 6
  has_room = take(wanted, WORKER, deadline, claims) < wanted
else
  trim(SWEEP_LIMIT)
end
local claimable, foreseen, soonest = outlook()
wake_for(claimable, soonest, has_room)
if SETTLEMENTS > 0 or #claims > 0 then remember_exchange(counted, claims) end
finish_step()
return {counted, NOW, LIMIT and foreseen and string.format('%.17g', foreseen) or '', claims}
