-- A task's hash, and the moves that every verb makes with it. Fields (defaults are left out):
--   b body   t type   c created   x expires at   s state ('pending' left out in a new task)   a attempt
--   f failures   k crashes   r ready since, if not created then   g started   w worker, true while it runs
--   v result   e error   z reason   h progress   q cancellation asked for   n0… attempts (see history.lua)
--   o order: priority * 2^43 + sequence, true while the task is not ready (then it is the score in READY)
-- Due time, deadline and time of finishing are the score in the index of its state.
local STATE, ATTEMPT, TYPE, ORDER, EXPIRES, CANCEL, STARTED, FAILURES, CRASHES, REASON = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
local CREATED = 11

local function index_of(state)
  if state == 'pending' then return READY end
  if state == 'processing' then return LEASES end
  if state == 'completed' then return COMPLETED end
  if state == 'scheduled' then return SCHEDULED end
  if state == 'retrying' then return RETRYING end
  if state == 'dead' then return DEAD end
  if state == 'cancelled' then return CANCELLED end
  return EXPIRED
end

local function is_waiting(state)
  return state == 'pending' or state == 'scheduled' or state == 'retrying'
end

-- Take a task out of the index of its state; what is ready keeps its order in its hash from then on.
local function leave(id, task)
  local state = task[STATE]
  if state == 'pending' then
    task[ORDER] = redis.call('ZSCORE', READY, id)
    redis.call('HSET', TASK .. id, 'o', digits(tonumber(task[ORDER])))
  end
  if task[EXPIRES] and is_waiting(state) then remove(EXPIRY, id) end
  remove(index_of(state), id)
end

-- Let a task that has left its index be claimed: at its old place, or at the end of its priority.
local function make_ready(id, task, since, keep_place)
  local order = tonumber(task[ORDER])
  if not keep_place then
    local sequence = setting('sequence', 0) + 1
    set_meta('sequence', sequence)
    order = math.floor(order / SEQUENCES) * SEQUENCES + sequence
  end
  redis.call('HSET', TASK .. id, 's', 'pending', 'r', since)
  put(READY, digits(order), id)
  if task[EXPIRES] then put(EXPIRY, task[EXPIRES], id) end
end

-- Let a task that has left its index become ready later. State is scheduled or retrying.
local function postpone(id, task, state, due)
  redis.call('HSET', TASK .. id, 's', state)
  put(index_of(state), due, id)
  if task[EXPIRES] then put(EXPIRY, task[EXPIRES], id) end
end

-- End the life of a task that has left its index. More fields to set may follow.
local function finish(id, task, state, ...)
  redis.call('HSET', TASK .. id, 's', state, ...)
  put(index_of(state), NOW, id)
  count('finished.' .. state, task[TYPE])
end
