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
local NOW = string.format('%.0f', now)

local function milliseconds(seconds)
  return math.ceil(seconds * 1000 - 0.001)
end
