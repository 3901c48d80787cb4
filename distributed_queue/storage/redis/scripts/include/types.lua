-- Task types, of which a limited number are counted apart.
local MAX_TYPES = 200
local DEFAULT_TYPE = 'default'  -- payload.DEFAULT_TYPE

-- The type under which a task is counted: no client can make the set of names grow without bounds.
local function counted_type(types, task_type)
  if task_type == '' or redis.call('SISMEMBER', types, task_type) == 1 then return task_type end
  if redis.call('SCARD', types) >= MAX_TYPES then return 'other' end
  redis.call('SADD', types, task_type)
  return task_type
end
