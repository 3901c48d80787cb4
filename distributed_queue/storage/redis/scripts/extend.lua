-- Let leases end later, or earlier. See Storage.extend.
-- KEYS    a queue's
-- ARGV    1 now in ms or '', 2 ms from now, then id and attempt of each lease
-- Result  a text with a 0 for each lease that is lost, a 1 if it is held, a 2 if it is held and cancellation was asked for
-- Cost    about 10 µs and 2 µs a lease
-- include: time, queue, entry, journal, order, types, counters, moves, task, load, step

open_queue(1)
write_even_if_full()
local deadline = digits(later + tonumber(ARGV[2]))
local states = {}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  local task = load_task(id)
  if task and task[STATE] == 'processing' and task[ATTEMPT] == tonumber(ARGV[i + 1]) then
    put(LEASES, deadline, id)
    count('extended', '')
    states[#states + 1] = task[CANCEL] and '2' or '1'
  else
    count('fenced.extend', '')
    states[#states + 1] = '0'
  end
end
finish_step()
return table.concat(states)
