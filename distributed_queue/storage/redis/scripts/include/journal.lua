-- The journal of a step: what it changed is noted, and published at its end. See entry.lua.
local TRIMMED_AT_ONCE = 100

local changes, change_count = {}, 0

-- Note a change. A detail comes packed; events with one begin with \148.
local function record(event, id, attempt, packed_detail)
  change_count = change_count + 1
  changes[change_count] = packed_detail and change_text(event, id, attempt) .. packed_detail
    or change_text(event, id, attempt)
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
  local blob = entry_blob(count, text)
  local refused = redis.pcall('XADD', JOURNAL, digits(position) .. '-0', 'e', blob).err
  if refused then
    position = make_way(position, refused)
    redis.call('XADD', JOURNAL, digits(position) .. '-0', 'e', blob)
  end
  set_meta('position', position)
  if not meta.journal_since then set_meta('journal_since', now) end
  local bytes = setting('journal_bytes', 0) + #blob + ENTRY_BYTES
  local max_bytes = setting('journal_max_bytes', JOURNAL_MAX_BYTES)
  local oldest = now - setting('journal_max_age', JOURNAL_MAX_AGE) * 1000
  if bytes > max_bytes * EXCESS or setting('journal_since', 0) < oldest then
    bytes = trim_journal(bytes, max_bytes, oldest)
  end
  set_meta('journal_bytes', bytes)
end
