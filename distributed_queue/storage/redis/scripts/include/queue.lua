-- The queue in hand: its keys, and its meta hash, read once and written once.
-- KEYS has QUEUE_KEYS keys for each queue, in the order of keys.py.
local LAYOUT = 1
local QUEUE_KEYS = 15
local META, READY, SCHEDULED, RETRYING, LEASES, DEAD, COMPLETED, CANCELLED, EXPIRED
local EXPIRY, COUNTERS, TYPES, JOURNAL, WAKE, TASK
local meta, meta_changes

-- The least and the largest value of each setting that is a number, as in QueueConfig; and whether it is a whole one.
local LARGEST = 9007199254740992
local NUMBERS = {
  max_size = {0, LARGEST, true}, rate_limit = {1e-6, 1e6}, rate_burst = {1, 1e7, true},
  concurrency = {0, LARGEST, true}, max_crashes = {1, LARGEST, true},
  retention_seconds = {0, 1e9}, retention_count = {0, LARGEST, true},
  journal_max_bytes = {1, LARGEST, true}, journal_max_age = {1, 1e9},
}

-- Whether a field is no setting that is a number, or one that can be counted with.
local function is_readable(name, text)
  local bounds = NUMBERS[name]
  if not bounds then return true end
  local number = tonumber(text)
  if not (number and number >= bounds[1] and number <= bounds[2]) then return false end
  return not bounds[3] or number % 1 == 0
end

local function open_queue(nth)
  local first = (nth - 1) * QUEUE_KEYS
  META, READY, SCHEDULED, RETRYING, LEASES, DEAD, COMPLETED, CANCELLED, EXPIRED,
    EXPIRY, COUNTERS, TYPES, JOURNAL, WAKE, TASK = unpack(KEYS, first + 1, first + QUEUE_KEYS)
  meta, meta_changes = {}, {}
  local flat = redis.call('HGETALL', META)
  for i = 1, #flat, 2 do
    -- What cannot be read has its default, as in core/config.py.
    if is_readable(flat[i], flat[i + 1]) then meta[flat[i]] = flat[i + 1] end
  end
  if meta.layout and tonumber(meta.layout) > LAYOUT then
    error('LAYOUT ' .. meta.layout)
  end
end

-- Let this step write although memory is full. Redis refuses a script's first write if it may need more memory than there
-- is, and none after it; so what makes room, or is about to, begins with a write that needs no memory.
local function write_even_if_full()
  redis.call('ZREM', WAKE, '')
end

local function setting(name, default)
  return tonumber(meta[name]) or default
end

local function set_meta(name, value)
  meta[name] = value
  meta_changes[name] = value
end

local function save_meta()
  if not next(meta_changes) then return end
  if not meta.layout then set_meta('layout', LAYOUT) end
  local flat = {}
  for name, value in pairs(meta_changes) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', META, unpack(flat))
  meta_changes = {}
end

-- How many tasks have still to run: what the size limit counts.
local function depth()
  return redis.call('ZCARD', READY) + redis.call('ZCARD', SCHEDULED) + redis.call('ZCARD', RETRYING)
end
