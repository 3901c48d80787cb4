-- Store one task that is ready at once: what enqueue.lua does, for the commonest call and at a third of its cost. Where
-- anything is out of the ordinary it does nothing, and enqueue.lua is to be asked.
-- KEYS    1 meta, 2 ready, 3 scheduled, 4 retrying, 5 counters, 6 types, 7 journal, 8 wake, 9 the task, 10 the
--         operation's record
-- ARGV    1 now in ms or '', 2 token, 3 id, 4 body, 5 type, 6 priority
-- Result  1 where the task was stored; 0 where enqueue.lua is to be asked, under the same token
-- Cost    about 50 µs
-- include: time, operation, entry, types, order

local META, READY, SCHEDULED, RETRYING, COUNTERS, TYPES, JOURNAL, WAKE, TASK = unpack(KEYS)
local ID, BODY, TASK_TYPE, PRIORITY = unpack(ARGV, 3)
local STORED = TOKEN .. '\161\049'  -- as `remember` packs the answer '1'
local LAYOUT = '1'
local BOOKS = 5  -- the fields of the meta hash that are no settings, in a queue that has a journal

local function has_room(max_size)
  local limit = tonumber(max_size)
  return limit
    and redis.call('ZCARD', READY) + redis.call('ZCARD', SCHEDULED) + redis.call('ZCARD', RETRYING) < limit
end

-- Whether the settings ask for no more than is done here; and whether there is a journal.
local function read_settings()
  local settings = redis.call('HMGET', META, 'max_size', 'journal', 'held_until', 'paused', 'rate_limit', 'concurrency',
    'journal_max_bytes', 'journal_max_age')
  for nth = 4, 8 do
    if settings[nth] then return false end
  end
  if settings[3] and (tonumber(settings[3]) or math.huge) > now then return false end
  return not settings[1] or has_room(settings[1]), settings[2] ~= '0'
end

-- Append to the journal; its bytes then. Nil, and nothing done, where there is more to do about it.
local function append(position, bytes, since)
  local blob = entry_blob(1, change_text(ENQUEUED, ID, 0))
  bytes = bytes + #blob + ENTRY_BYTES
  if bytes > JOURNAL_MAX_BYTES * EXCESS or since < now - JOURNAL_MAX_AGE * 1000 then return nil end
  return not redis.pcall('XADD', JOURNAL, position .. '-0', 'e', blob).err and bytes
end

local function count_it()
  local counter = 'enqueued|' .. TASK_TYPE
  if redis.call('HINCRBY', COUNTERS, counter, '1') == 1 then
    -- The first of this type, and there may be too many types.
    redis.call('HDEL', COUNTERS, counter)
    redis.call('HINCRBY', COUNTERS, 'enqueued|' .. counted_type(TYPES, TASK_TYPE), '1')
  end
end

local function put_it()
  local books = redis.call('HMGET', META, 'layout', 'sequence', 'position', 'journal_bytes', 'journal_since')
  local sequence, position, bytes, since = tonumber(books[2]), tonumber(books[3]), tonumber(books[4]), tonumber(books[5])
  if books[1] ~= LAYOUT or not sequence then return 0 end
  local journalled = true
  if redis.call('HLEN', META) ~= BOOKS then
    local ordinary
    ordinary, journalled = read_settings()
    if not ordinary then return 0 end
  end
  if journalled and not (position and bytes and since) then return 0 end
  if redis.call('EXISTS', TASK) == 1 then return 0 end
  local kept = redis.call('GET', OPERATION)
  if kept and string.sub(kept, 1, #TOKEN) >= TOKEN then return 0 end

  if journalled then
    position = digits(position + 1)
    bytes = append(position, bytes, since)
    if not bytes then return 0 end
  end
  sequence = digits(sequence + 1)
  if TASK_TYPE == DEFAULT_TYPE then
    redis.call('HSET', TASK, 'b', BODY, 'c', NOW)
  else
    redis.call('HSET', TASK, 'b', BODY, 't', TASK_TYPE, 'c', NOW)
  end
  redis.call('ZADD', READY, digits(PRIORITY * SEQUENCES + sequence), ID)
  redis.call('ZADD', WAKE, NOW, '0')
  count_it()
  if journalled then
    redis.call('HSET', META, 'sequence', sequence, 'position', position, 'journal_bytes', digits(bytes))
  else
    redis.call('HSET', META, 'sequence', sequence)
  end
  redis.call('SET', OPERATION, STORED, 'PX', '60000')
  return 1
end

return put_it()
