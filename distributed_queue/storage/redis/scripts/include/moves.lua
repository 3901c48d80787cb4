-- Moves between the indexes. A task is in exactly one of them, that of its state; moves are collected and done in a few
-- large commands by flush_moves, before anything reads an index that they touch.
local CHUNK = 4000  -- even, and below the number of values that unpack can put on Lua's stack
local puts, removals = {}, {}
local heads = {}

local function put(index, score, id)
  local list = puts[index]
  if not list then
    list = {}
    puts[index] = list
  end
  local n = #list
  list[n + 1] = score
  list[n + 2] = id
end

local function remove(index, id)
  local list = removals[index]
  if not list then
    list = {}
    removals[index] = list
  end
  list[#list + 1] = id
end

-- Call a command that takes any number of arguments after its key, in chunks.
local function call_chunked(command, key, list)
  local total = #list
  if total <= CHUNK then
    return redis.call(command, key, unpack(list))
  end
  for first = 1, total, CHUNK do
    redis.call(command, key, unpack(list, first, math.min(first + CHUNK - 1, total)))
  end
end

-- Delete the hashes of tasks.
local function forget(keys)
  for first = 1, #keys, CHUNK do
    redis.call('UNLINK', unpack(keys, first, math.min(first + CHUNK - 1, #keys)))
  end
end

local function flush_moves()
  for index, list in pairs(removals) do
    call_chunked('ZREM', index, list)
    heads[index] = nil
  end
  for index, list in pairs(puts) do
    call_chunked('ZADD', index, list)
    heads[index] = nil
  end
  puts, removals = {}, {}
end

-- The lowest score of an index, nil where it is empty.
local function head(index)
  local score = heads[index]
  if score == nil then
    score = tonumber(redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]) or false
    heads[index] = score
  end
  return score or nil
end
