-- Counters, added up in this step and written once. Names and buckets are those of core/counters.py.
local BUCKET_BOUNDS_MS = {
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}
local MAX_TYPES = 200
local tally = {}      -- task type -> what -> how many
local tallied = {}    -- the task types in the order in which they came, for the limit on their number
local bucket_names = {}

local function count(what, task_type, by)
  local whats = tally[task_type]
  if not whats then
    whats = {}
    tally[task_type] = whats
    tallied[#tallied + 1] = task_type
  end
  whats[what] = (whats[what] or 0) + (by or 1)
end

local function bucket_name(what, milliseconds)
  local bucket = 1
  while bucket <= #BUCKET_BOUNDS_MS and milliseconds > BUCKET_BOUNDS_MS[bucket] do
    bucket = bucket + 1
  end
  local names = bucket_names[what]
  if not names then
    names = {}
    bucket_names[what] = names
  end
  local name = names[bucket]
  if not name then
    name = what .. '.' .. (bucket - 1)
    names[bucket] = name
  end
  return name
end

-- Add a duration to a histogram.
local function observe(what, task_type, milliseconds)
  if milliseconds < 0 then milliseconds = 0 end
  count(bucket_name(what, milliseconds), task_type)
  count(what .. '.ms', task_type, milliseconds)
end

-- The type under which a task is counted: no client can make the set of names grow without bounds.
local function counted_type(task_type)
  if task_type == '' or redis.call('SISMEMBER', TYPES, task_type) == 1 then return task_type end
  if redis.call('SCARD', TYPES) >= MAX_TYPES then return 'other' end
  redis.call('SADD', TYPES, task_type)
  return task_type
end

local function save_counters()
  for _, task_type in ipairs(tallied) do
    local suffix = '|' .. counted_type(task_type)
    for what, by in pairs(tally[task_type]) do
      redis.call('HINCRBY', COUNTERS, what .. suffix, by)
    end
  end
  tally, tallied = {}, {}
end
