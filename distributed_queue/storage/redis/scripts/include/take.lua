-- Opening leases.

-- What a worker is given of a task: id, attempt, order, body, created and, if it has any of them, failures, crashes and
-- expires_at. The fields were read before the attempt was written.
local function hand_over(claims, id, attempt, order, fields)
  local n = #claims
  claims[n + 1] = id
  claims[n + 2] = attempt
  claims[n + 3] = order
  claims[n + 4] = fields.b
  claims[n + 5] = fields.c
  if fields.f or fields.k or fields.x then
    claims[n + 6] = {fields.f or 0, fields.k or 0, fields.x or ''}
  else
    claims[n + 6] = 0
  end
end

local function fields_of(flat)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  fields.t = fields.t or DEFAULT_TYPE
  return fields
end

-- Open a lease on a task that was taken out of READY.
local function start(id, order, fields, worker, deadline)
  local attempt, text = 1, '1'
  if fields.a then
    attempt = tonumber(fields.a) + 1
    text = attempt
  end
  redis.call('HSET', TASK .. id, 's', 'processing', 'a', text, 'o', order, 'g', NOW, 'w', worker)
  if fields.h then redis.call('HDEL', TASK .. id, 'h') end
  if fields.x then remove(EXPIRY, id) end
  put(LEASES, deadline, id)
  count('started', fields.t)
  observe('wait', fields.t, now - tonumber(fields.r or fields.c))
  return attempt
end

-- Whether a task of READY can be worked with.
local function is_claimable(id, order, fields)
  return fields.b and fields.c and whole(fields.c) and whole_or_none(fields.a) and whole_or_none(fields.f)
    and whole_or_none(fields.k) and whole_or_none(fields.x) and whole_or_none(fields.r) and whole(order) and is_id(id)
end

-- Claim a task that was never claimed, nor may expire: what most claims are, and needs to know little of it. Where it is
-- anything else: false, and nothing done.
local function take_first(id, order, flat, worker, deadline, detail, claims)
  local body, created, task_type
  for i = 1, #flat, 2 do
    local name = flat[i]
    if name == 'b' then
      body = flat[i + 1]
    elseif name == 'c' then
      created = flat[i + 1]
    elseif name == 't' then
      task_type = flat[i + 1]
    else
      return false
    end
  end
  if not (body and created and whole(created) and whole(order) and is_id(id)) then return false end
  task_type = task_type or DEFAULT_TYPE
  redis.call('HSET', TASK .. id, 's', 'processing', 'a', '1', 'o', order, 'g', NOW, 'w', worker)
  put(LEASES, deadline, id)
  count('started', task_type)
  observe('wait', task_type, now - created)
  record(CLAIMED, id, 1, detail)
  local n = #claims
  claims[n + 1], claims[n + 2], claims[n + 3] = id, 1, order
  claims[n + 4], claims[n + 5], claims[n + 6] = body, created, 0
  return true
end

-- Claim a task; how many were claimed: 0 where it cannot be worked with, or comes too late.
local function take_one(id, order, fields, worker, deadline, detail, claims)
  if not is_claimable(id, order, fields) then
    park(id)
    return 0
  end
  if fields.x and tonumber(fields.x) <= now then
    remove(EXPIRY, id)
    redis.call('HSET', TASK .. id, 'o', order)
    expire(id, {fields.s, tonumber(fields.a or 0), fields.t})
    return 0
  end
  local attempt = start(id, order, fields, worker, deadline)
  record(CLAIMED, id, attempt, detail)
  hand_over(claims, id, attempt, order, fields)
  return 1
end

-- Claim up to `wanted` ready tasks, as far as the limits allow, and add them to claims. Returns how many.
local function take(wanted, worker, deadline, claims)
  local allowed = gcra(room(wanted))
  local detail = cmsgpack.pack(worker)
  local taken = 0
  while taken < allowed do
    local popped = redis.call('ZPOPMIN', READY, allowed - taken)
    if #popped == 0 then break end
    for i = 1, #popped, 2 do
      local id, order = popped[i], whole_text(popped[i + 1])
      local flat = redis.pcall('HGETALL', TASK .. id)
      if take_first(id, order, flat, worker, deadline, detail, claims) then
        taken = taken + 1
      else
        taken = taken + take_one(id, order, fields_of(flat), worker, deadline, detail, claims)
      end
    end
    flush_moves()
  end
  spend(taken)
  return taken
end
