-- Register a worker, or note that it lives; hand over its commands. See Storage.beat.
-- KEYS    1 infos, 2 beats, 3 the worker's commands, 4 the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 worker id, 4 its info, 5 ms after which a worker or command is forgotten
-- Result  commands
-- Cost    about 15 µs
-- include: time, operation

local INFOS, BEATS, COMMANDS = KEYS[1], KEYS[2], KEYS[3]
local WORKER, INFO, TTL_MS = ARGV[3], ARGV[4], tonumber(ARGV[5])

-- The latest first forgotten are a few at a time: each beat does its share.
local function forget_silent()
  local silent = redis.call('ZRANGEBYSCORE', BEATS, '-inf', now - TTL_MS, 'LIMIT', 0, 100)
  if #silent == 0 then return end
  redis.call('ZREM', BEATS, unpack(silent))
  redis.call('HDEL', INFOS, unpack(silent))
end

local function take_commands()
  local taken = {}
  for _, kept in ipairs(redis.call('LRANGE', COMMANDS, 0, -1)) do
    local at, command = cmsgpack.unpack(kept)
    if at > now - TTL_MS then taken[#taken + 1] = command end
  end
  redis.call('DEL', COMMANDS)
  return taken
end

local answered = recall()
if answered then return answered end
-- First what needs no memory: then the rest is not refused where memory is full.
local taken = take_commands()
redis.call('HSET', INFOS, WORKER, INFO)
redis.call('ZADD', BEATS, NOW, WORKER)
forget_silent()
if #taken > 0 then remember(taken) end
return taken
