-- The history of a task: each of its latest attempts in a field of its hash, 'n' and the attempt modulo HISTORY_LIMIT, as
-- MessagePack of [attempt, outcome, started ms, ended ms, worker, note]. It is put together by hand, since a note is binary.
local HISTORY_LIMIT = 20  -- history.HISTORY_LIMIT
local CRASHED = 6  -- codec.ATTEMPT_OUTCOMES; the others are those of settle.lua and update.lua

local BINARY = 198  -- the head of a binary with four bytes for its length, of which cmsgpack knows nothing

local function note_before(key, place, attempt)
  local kept = redis.call('HGET', key, place)
  if not kept then return nil end
  local readable, at, kept_attempt = pcall(cmsgpack.unpack_limit, kept, 5, 1)
  if not readable or kept_attempt ~= attempt or string.byte(kept, at + 1) ~= BINARY then return nil end
  return string.sub(kept, at + 6)
end

-- Keep a task's latest attempt, with what was noted of it before where no note comes.
local function keep_attempt(id, task, outcome, note)
  local key, attempt = TASK .. id, task[ATTEMPT]
  local place = 'n' .. attempt % HISTORY_LIMIT
  note = note or note_before(key, place, attempt)
  local packed = note and string.char(BINARY) .. struct.pack('>I4', #note) .. note or '\192'
  redis.call('HSET', key, place, '\150' .. cmsgpack.pack(attempt) .. cmsgpack.pack(outcome)
    .. cmsgpack.pack(tonumber(task[STARTED]) or now) .. cmsgpack.pack(now)
    .. cmsgpack.pack(redis.call('HGET', key, 'w') or '') .. packed)
end
