-- The journal: one stream entry a step, with explicit ids <position>-0 and one field, MessagePack of
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
local TRIMMED_AT_ONCE = 100

local changes, change_count = {}, 0

-- Note a change. A detail comes packed; events with one begin with \148.
local function record(event, id, attempt, packed_detail)
  local length = #id == 16 and '\016' or string.char(#id)
  local number = attempt == 1 and '\001' or attempt < 128 and string.char(attempt) or cmsgpack.pack(attempt)
  change_count = change_count + 1
  changes[change_count] = event .. length .. id .. number .. (packed_detail or '')
end

local function array_head(count)
  if count < 65536 then
    return string.char(220, math.floor(count / 256), count % 256)
  end
  return string.char(221) .. struct.pack('>I4', count)
end

-- Drop the oldest entries that are too old or too much, a bounded number of them. Returns the bytes left.
local function trim_journal(bytes, max_bytes, oldest)
  for i, entry in ipairs(redis.call('XRANGE', JOURNAL, '-', '+', 'COUNT', TRIMMED_AT_ONCE)) do
    local id, blob = entry[1], entry[2][2]
    local readable, _, at = pcall(cmsgpack.unpack_one, blob, 1)
    at = readable and tonumber(at) or 0
    if i == TRIMMED_AT_ONCE or (bytes <= max_bytes and at >= oldest) then
      redis.call('XTRIM', JOURNAL, 'MINID', id)
      set_meta('journal_since', at)
      return bytes
    end
    bytes = bytes - #blob - ENTRY_BYTES
  end
  redis.call('XTRIM', JOURNAL, 'MAXLEN', 0)
  set_meta('journal_since', now)
  return 0
end

local function entry_id(position)
  return string.format('%.0f-0', position)
end

-- Where something else wrote into the journal: go on above its entry, so that followers who have read that one miss
-- nothing; where nobody can count that far, or it is no stream any more, begin anew. Returns the position to take.
local function make_way(position, refusal)
  if string.sub(refusal, 1, 9) ~= 'WRONGTYPE' then
    if not (string.find(refusal, 'equal or smaller') or string.find(refusal, 'exhausted')) then return position end
    local info = redis.call('XINFO', 'STREAM', JOURNAL)
    for i = 1, #info, 2 do
      local last = info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+'))
      if last and last < LARGEST then return last + 1 end
    end
  end
  redis.call('DEL', JOURNAL)
  set_meta('journal_bytes', 0)
  set_meta('journal_since', now)
  return position
end

-- Append what was noted.
local function publish()
  local count, text = change_count, table.concat(changes, '', 1, change_count)
  change_count = 0
  if count == 0 or meta.journal == '0' then return end
  local position = setting('position', 0) + 1
  local blob = '\146' .. cmsgpack.pack(now) .. array_head(count) .. text
  local refused = redis.pcall('XADD', JOURNAL, entry_id(position), 'e', blob).err
  if refused then
    position = make_way(position, refused)
    redis.call('XADD', JOURNAL, entry_id(position), 'e', blob)
  end
  set_meta('position', position)
  if not meta.journal_since then set_meta('journal_since', now) end
  local bytes = setting('journal_bytes', 0) + #blob + ENTRY_BYTES
  local max_bytes = setting('journal_max_bytes', 67108864)
  local oldest = now - setting('journal_max_age', 604800) * 1000
  -- A little too much is left for the next steps, so that not each of them has to trim.
  if bytes > max_bytes * 65 / 64 or setting('journal_since') < oldest then
    bytes = trim_journal(bytes, max_bytes, oldest)
  end
  set_meta('journal_bytes', bytes)
end
