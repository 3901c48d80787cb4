-- The time of this step, in ms: ARGV[1] where the client brings a clock of its own, else the server's.
-- The present is rounded down for comparing and up for adding delays to, so that nothing is ever early.
local now = tonumber(ARGV[1])
local later = now
if not now then
  if redis.replicate_commands then redis.replicate_commands() end  -- for a 6.2 with lua-replicate-commands no
  local time = redis.call('TIME')
  local microseconds = time[1] * 1000000 + time[2]
  now = math.floor(microseconds / 1000)
  later = math.ceil(microseconds / 1000)
end
local FORMAT = {}

-- The digits of a whole number. '%d' takes half as long as '%.0f', but can do it only where a C long has 64 bits.
local function digits(number)
  local format = FORMAT[1]
  if not format then
    format = string.format('%d', 1099511627776) == '1099511627776' and '%d' or '%.0f'
    FORMAT[1] = format
  end
  return string.format(format, number)
end

local NOW = digits(now)

local function milliseconds(seconds)
  return math.ceil(seconds * 1000 - 0.001)
end
