-- An entry of the journal: there is one a step, in a stream, with ids <position>-0 and one field, MessagePack of
-- [at_ms, [[event, id, attempt] or [event, id, attempt, detail], …]]. The id is binary. It is put together by hand, since
-- packing Lua tables costs four times as much, and Lua strings would become text.
-- Events begin with the array head (3 or 4 items), the number of the event in codec.EVENTS and the head of a binary.
local ENQUEUED, DUE, CLAIMED = '\147\000\196', '\147\001\196', '\148\002\196'
local SUCCEEDED, TO_RETRY, BURIED = '\147\003\196', '\147\004\196', '\148\005\196'
local RELEASED, SNOOZED, LEASE_LOST = '\147\006\196', '\147\007\196', '\147\008\196'
local CANCEL_REQUESTED, STOPPED, TOO_LATE = '\147\009\196', '\147\010\196', '\147\011\196'
local REQUEUED, UPDATED, DELETED, CLEARED = '\147\012\196', '\147\013\196', '\147\014\196', '\147\015\196'
local PAUSED, RESUMED, CONFIGURED = '\147\016\196', '\147\017\196', '\147\018\196'
local ENTRY_BYTES = 48  -- what the stream takes for an entry beside its blob, about
local JOURNAL_MAX_BYTES, JOURNAL_MAX_AGE = 67108864, 604800
local EXCESS = 65 / 64  -- a little too much is left for the next steps, so that not each of them has to trim

local function change_text(event, id, attempt)
  local length = #id == 16 and '\016' or string.char(#id)
  local number = attempt == 1 and '\001' or attempt < 128 and string.char(attempt) or cmsgpack.pack(attempt)
  return event .. length .. id .. number
end

-- The entry for so many changes, whose texts are joined.
local function entry_blob(count, text)
  local head
  if count < 16 then
    head = string.char(144 + count)
  elseif count < 65536 then
    head = string.char(220, math.floor(count / 256), count % 256)
  else
    head = string.char(221) .. struct.pack('>I4', count)
  end
  return '\146' .. cmsgpack.pack(now) .. head .. text
end
