-- Counters, added up in this step and written once. Names and buckets are those of core/counters.py.
local BUCKET_BOUNDS_MS = {
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}
local tally = {}      -- task type -> what -> how many
local tallied = {}    -- the task types in the order in which they came, for the limit on their number
local histograms = {wait = {}, duration = {}}  -- task type -> bucket or 'ms' -> how many
local bucket, bucket_above, bucket_upto = 0, -1, -1

local function count(what, task_type, by)
  local whats = tally[task_type]
  if not whats then
    whats = {}
    tally[task_type] = whats
    tallied[#tallied + 1] = task_type
  end
  whats[what] = (whats[what] or 0) + (by or 1)
end

-- The bucket of a duration. Those of one step tend to fall into the same one.
local function bucket_of(milliseconds)
  if milliseconds > bucket_above and milliseconds <= bucket_upto then return bucket end
  bucket, bucket_above, bucket_upto = 0, -1, BUCKET_BOUNDS_MS[1]
  while milliseconds > bucket_upto do
    bucket = bucket + 1
    bucket_above, bucket_upto = bucket_upto, BUCKET_BOUNDS_MS[bucket + 1] or math.huge
  end
  return bucket
end

-- Add a duration to a histogram, 'wait' or 'duration'.
local function observe(what, task_type, milliseconds)
  if milliseconds < 0 then milliseconds = 0 end
  local histogram = histograms[what][task_type]
  if not histogram then
    histogram = {ms = 0}
    histograms[what][task_type] = histogram
  end
  local index = bucket_of(milliseconds)
  histogram[index] = (histogram[index] or 0) + 1
  histogram.ms = histogram.ms + milliseconds
end

local function count_histograms()
  for what, by_type in pairs(histograms) do
    for task_type, histogram in pairs(by_type) do
      for index, by in pairs(histogram) do
        count(what .. '.' .. index, task_type, by)
      end
    end
    histograms[what] = {}
  end
end

local function save_counters()
  count_histograms()
  for _, task_type in ipairs(tallied) do
    local suffix = '|' .. counted_type(TYPES, task_type)
    for what, by in pairs(tally[task_type]) do
      redis.call('HINCRBY', COUNTERS, what .. suffix, by)
    end
  end
  tally, tallied = {}, {}
end
