-- The fields of a record, flat. What is no record, because something else wrote it, is told as one without fields.
local function read_record(id)
  local flat = redis.pcall('HGETALL', TASK .. id)
  return flat.err and {'z', 'unreadable'} or flat
end

-- The same without the history. The names of its fields are the only ones with more than one letter.
local function without_history(flat)
  local kept = {}
  for i = 1, #flat, 2 do
    if #flat[i] == 1 then
      kept[#kept + 1] = flat[i]
      kept[#kept + 1] = flat[i + 1]
    end
  end
  return kept
end

-- What a client is told of a task: its fields, flat, and its score in the index of its state. False for unknown ones.
local function describe(id)
  local flat = read_record(id)
  if #flat == 0 then return false end
  local state = 'pending'
  for i = 1, #flat, 2 do
    if flat[i] == 's' then state = flat[i + 1] end
  end
  return {flat, redis.call('ZSCORE', index_of(state), id)}
end
