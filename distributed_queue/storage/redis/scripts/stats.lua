-- A queue at a moment. See Storage.stats.
-- KEYS    a queue's
-- ARGV    1 now in ms or ''
-- Result  sizes of the indexes in the order of keys.INDEXES, meta (flat), counters (flat), ms for which the head of the line
--         has been ready or nil, for scheduled and retrying how many are due, ms for which the first of these is due or nil
-- Cost    about 25 µs
-- include: time, queue, moves, order, types, task

open_queue(1)
local sizes = {}
for i, index in ipairs({READY, SCHEDULED, RETRYING, LEASES, DEAD, COMPLETED, CANCELLED, EXPIRED}) do
  sizes[i] = redis.call('ZCARD', index)
end
local first = redis.call('ZRANGE', READY, 0, 0)[1]
local age = false
if first then
  local times = redis.pcall('HMGET', TASK .. first, 'r', 'c')
  age = math.max(0, now - (tonumber(times[1] or times[2]) or now))
end
local due, due_age = {}, false
for i, index in ipairs({SCHEDULED, RETRYING}) do
  local since = head(index)
  due[i] = 0
  if since and since <= now then
    due[i] = redis.call('ZCOUNT', index, '-inf', NOW)
    due_age = math.max(due_age or 0, now - since)
  end
end
return {sizes, redis.call('HGETALL', META), redis.call('HGETALL', COUNTERS), age, due, due_age}
