-- Loading records, which others may have written too. One that cannot be worked with is parked: it becomes a dead letter
-- with the reason 'unreadable', and keeps what is in it. So no step stops half-way at it, and no other task waits for it.
local UNREADABLE = 'unreadable'  -- payload.UNREADABLE
local LONGEST_ID = 201

local function whole(text)
  return text ~= '' and #text < 17 and not string.find(text, '%D')
end

local function whole_or_none(text)
  return not text or whole(text)
end

-- Whether an id is one that codec.pack_id gives.
local function is_id(id)
  if #id == 16 and string.byte(id) < 32 then return true end
  return #id <= LONGEST_ID and string.find(id, '^#[%w._:%-]+$') ~= nil
end

-- What a name that no client could give is replaced by.
local function renamed(id)
  if is_id(id) then return id end
  local name = '#' .. UNREADABLE .. '-' .. redis.sha1hex(id)
  if redis.call('EXISTS', TASK .. id) == 1 then redis.call('RENAME', TASK .. id, TASK .. name) end
  return name
end

-- Make a hash of whatever is at a key, and take out of it what has to be a number and is none.
local function restore(key)
  if redis.call('TYPE', key).ok ~= 'hash' then
    local kept = redis.call('DUMP', key) or ''
    redis.call('DEL', key)
    redis.call('HSET', key, 'b', kept)
  end
  for _, name in ipairs({'a', 'f', 'k', 'x', 'g', 'r', 'o', 'c'}) do
    local value = redis.call('HGET', key, name)
    if value and not whole(value) then redis.call('HDEL', key, name) end
  end
  redis.call('HSETNX', key, 'b', '')
  redis.call('HSETNX', key, 'o', '0')
  redis.call('HSETNX', key, 'c', NOW)
end

local function park(id)
  for _, index in ipairs({READY, SCHEDULED, RETRYING, LEASES, COMPLETED, CANCELLED, EXPIRED, EXPIRY}) do
    remove(index, id)
  end
  local name = renamed(id)
  if name ~= id then remove(DEAD, id) end
  local key = TASK .. name
  restore(key)
  redis.call('HDEL', key, 'x', 'q')
  redis.call('HSET', key, 's', 'dead', 'z', UNREADABLE)
  put(DEAD, NOW, name)
  record(BURIED, name, tonumber(redis.call('HGET', key, 'a') or 0), cmsgpack.pack(UNREADABLE))
  count('finished.dead', redis.call('HGET', key, 't') or DEFAULT_TYPE)
end

local function read_task(id)
  return redis.pcall('HMGET', TASK .. id, 's', 'a', 't', 'o', 'x', 'q', 'g', 'f', 'k', 'z', 'c')
end

local function is_sound(task)
  return not task.err and task[CREATED] and whole(task[CREATED]) and whole_or_none(task[ATTEMPT])
    and whole_or_none(task[ORDER]) and whole_or_none(task[EXPIRES]) and whole_or_none(task[STARTED])
    and whole_or_none(task[FAILURES]) and whole_or_none(task[CRASHES])
end

-- The fields that transitions depend on, nil for an unknown task. Bodies are not read.
local function load_task(id)
  local task = read_task(id)
  if not is_sound(task) then
    if redis.call('EXISTS', TASK .. id) == 0 then return nil end
    park(id)
    task = read_task(renamed(id))
  end
  task[TYPE] = task[TYPE] or DEFAULT_TYPE
  task[STATE] = task[STATE] or 'pending'
  task[ATTEMPT] = tonumber(task[ATTEMPT] or 0)
  return task
end

-- As load_task, for an id of an index; nil for what does not belong there, which is parked.
local function load_indexed(id, ...)
  local task = is_id(id) and load_task(id)
  if task then
    for _, state in ipairs({...}) do
      if task[STATE] == state then return task end
    end
    if task[REASON] == UNREADABLE then return nil end
  end
  park(id)
end
