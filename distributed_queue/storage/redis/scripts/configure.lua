-- Change settings, if they still are what the client believes. See Storage.configure.
-- KEYS    a queue's
-- ARGV    1 now in ms or '', then for each setting: its name, its value before, its value afterwards; '' is the default
-- Result  1, or 0 with nothing changed
-- Cost    about 20 µs
-- include: time, queue, entry, journal, types, counters, moves, limits, step

open_queue(1)
write_even_if_full()
for i = 2, #ARGV, 3 do
  -- Not from meta, which has nothing of a value that cannot be read.
  if (redis.call('HGET', META, ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
local configured = false
for i = 2, #ARGV, 3 do
  local name, value = ARGV[i], ARGV[i + 2]
  if value == '' then
    redis.call('HDEL', META, name)
    meta[name] = nil
  else
    set_meta(name, value)
  end
  if name == 'paused' then
    record(value == '1' and PAUSED or RESUMED, '', 0)
  else
    configured = true
  end
end
if configured then record(CONFIGURED, '', 0) end
local claimable, _, soonest = outlook()
wake_for(claimable, soonest, false)
finish_step()
return 1
