-- Forgetting finished tasks whose retention is over.
-- The oldest `wanted` finished tasks, in the order of (finished, id): three sorted lists made one.
local function oldest_finished(wanted)
  local oldest = {}
  for _, index in ipairs({COMPLETED, CANCELLED, EXPIRED}) do
    local flat = redis.call('ZRANGE', index, 0, wanted - 1, 'WITHSCORES')
    for i = 1, #flat, 2 do
      oldest[#oldest + 1] = {flat[i], tonumber(flat[i + 1]), index}
    end
  end
  table.sort(oldest, function(one, other)
    if one[2] ~= other[2] then return one[2] < other[2] end
    return precedes(one[1], other[1])
  end)
  return oldest
end

-- Forget up to `limit` completed, cancelled and expired tasks.
local function trim(limit)
  local wanted = math.min(limit, overdue_count())
  if wanted <= 0 then return end
  local oldest = oldest_finished(wanted)
  local keys = {}
  for i = 1, math.min(wanted, #oldest) do
    local id, _, index = unpack(oldest[i])
    keys[i] = TASK .. id
    remove(index, id)
  end
  forget(keys)
  flush_moves()
end
