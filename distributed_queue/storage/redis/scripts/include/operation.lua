-- A script may run twice: the client sends it again when a reply is lost. The last KEYS entry remembers, for a while,
-- what the latest operation of one client's slot answered, under a token that only goes up. Tokens have equal length.
local OPERATION = KEYS[#KEYS]
local TOKEN = ARGV[2]

-- What this operation answered when it ran before, else nil.
local function recall()
  local kept = redis.call('GET', OPERATION)
  if not kept then return nil end
  local token = string.sub(kept, 1, #TOKEN)
  if token == TOKEN then
    return cmsgpack.unpack(string.sub(kept, #TOKEN + 1))
  end
  if token > TOKEN then
    -- A copy that was stuck on the way: its sender has long gone on, and nobody reads this.
    error('STALE operation')
  end
  return nil
end

local function remember(answer, keep_ms)
  redis.call('SET', OPERATION, TOKEN .. cmsgpack.pack(answer), 'PX', keep_ms or 60000)
end
