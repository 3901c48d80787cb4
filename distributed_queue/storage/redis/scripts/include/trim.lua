-- Forgetting finished tasks whose retention is over.

-- Forget up to `limit` completed, cancelled and expired tasks, in the order of (finished, id).
local function trim(limit)
  local wanted = math.min(limit, overdue_count())
  if wanted <= 0 then return end
  local lists, keys = {}, {}
  for _, index in ipairs({COMPLETED, CANCELLED, EXPIRED}) do
    add_list(lists, index, redis.call('ZRANGE', index, 0, wanted - 1, 'WITHSCORES'))
  end
  visit_merged(lists, wanted, function(id, _, index)
    keys[#keys + 1] = TASK .. id
    remove(index, id)
  end)
  forget(keys)
  flush_moves()
end
