-- What a client is told of a task: its fields, flat, and its score in the index of its state. False for unknown ones.
local function describe(id)
  local flat = redis.call('HGETALL', TASK .. id)
  if #flat == 0 then return false end
  local state = 'pending'
  for i = 1, #flat, 2 do
    if flat[i] == 's' then state = flat[i + 1] end
  end
  return {flat, redis.call('ZSCORE', index_of(state), id)}
end
