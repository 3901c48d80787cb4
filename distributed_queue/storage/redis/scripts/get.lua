-- Read tasks. See Storage.get.
-- KEYS    a queue's
-- ARGV    ids
-- Result  for each: nil, or its fields (flat) and its score in the index of its state
-- Cost    about 3 µs a task
-- include: queue, order, types, task, describe

open_queue(1)
local found = {}
for i, id in ipairs(ARGV) do
  found[i] = describe(id)
end
return found
