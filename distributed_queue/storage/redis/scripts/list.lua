-- List tasks of one state in the order of its index. See Storage.find.
-- KEYS    a queue's
-- ARGV    1 state, 2 '1' for the latest first, else '0', 3 score and 4 member of the last task listed, both '' to begin,
--         5 most tasks to list, 6 most tasks to look at, 7 '1' where only one type is wanted, else '0', 8 that type
-- Result  tasks (id, fields, score), then score and member of the last task looked at, or nothing where the end is reached
-- Cost    about 5 µs, and 3 µs for each task looked at
-- include: queue, order, types, task, describe, precedes

local STATE_LISTED, LATEST_FIRST = ARGV[1], ARGV[2] == '1'
local SCORE, MEMBER = ARGV[3], ARGV[4]
local MOST, MOST_LOOKS, TYPE_ONLY, WANTED_TYPE = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1', ARGV[8]

-- The rank at which to go on, which has to be searched for where the last task listed is gone: among equal scores,
-- members are in byte order.
local function rank_after(index)
  if SCORE == '' then return 0 end
  local low = redis.call('ZCOUNT', index, '-inf', '(' .. SCORE)
  local high = low + redis.call('ZCOUNT', index, SCORE, SCORE)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', index, middle, middle)[1]
    local before = precedes(member, MEMBER)
    if before or (member == MEMBER and not LATEST_FIRST) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function entries(index)
  if not LATEST_FIRST then
    local rank = rank_after(index)
    return redis.call('ZRANGE', index, rank, rank + MOST_LOOKS - 1, 'WITHSCORES')
  end
  local size = redis.call('ZCARD', index)
  local rank = SCORE == '' and 0 or size - rank_after(index)
  return redis.call('ZREVRANGE', index, rank, rank + MOST_LOOKS - 1, 'WITHSCORES')
end

open_queue(1)
local found = {}
local looked_at = entries(index_of(STATE_LISTED))
for i = 1, #looked_at, 2 do
  local id, score = looked_at[i], looked_at[i + 1]
  if not TYPE_ONLY or (redis.pcall('HGET', TASK .. id, 't') or DEFAULT_TYPE) == WANTED_TYPE then
    found[#found + 1] = {id, without_history(read_record(id)), score}
  end
  if #found == MOST then return {found, score, id} end
end
if #looked_at < 2 * MOST_LOOKS then return {found} end
return {found, looked_at[#looked_at], looked_at[#looked_at - 1]}
