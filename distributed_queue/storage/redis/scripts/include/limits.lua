-- What pause, concurrency and rate let through, and when to ask again: core/limits.py in Lua.
local RELAY_MS = 5000  -- connection.BLOCK_SECONDS: how long a waiter sleeps before it looks for itself

-- How many of `wanted` tasks may be taken, rate aside.
local function room(wanted)
  if meta.paused == '1' then return 0 end
  local free = wanted
  if meta.concurrency then
    free = math.min(free, math.max(0, tonumber(meta.concurrency) - redis.call('ZCARD', LEASES)))
  end
  if free == 0 then return 0 end
  return math.min(free, redis.call('ZCARD', READY))
end

local SLACK_MS = 1e-3  -- limits.SLACK_MS

-- GCRA: how many of `wanted` may start now, the new state, and the ms until one more may.
local function gcra(wanted)
  local rate = setting('rate_limit')
  if not rate then return wanted, nil, 0 end
  local burst = setting('rate_burst', math.max(1, math.floor(rate)))
  local interval = 1000 / rate
  local tat = math.max(setting('tat', 0), now)
  local free = now + interval * burst - tat
  local allowed = math.max(0, math.min(wanted, math.floor((free + SLACK_MS) / interval)))
  tat = tat + allowed * interval
  local retry = tat + interval - interval * burst - now
  return allowed, tat, retry > SLACK_MS and retry or 0
end

-- Note that tasks were started.
local function spend(taken)
  if taken == 0 or not meta.rate_limit then return end
  local _, tat = gcra(taken)
  set_meta('tat', string.format('%.17g', tat))
end

local function least(one, other)
  return one and other and math.min(one, other) or one or other
end

-- Whether a claim would give or change something now; when one will (ms from now, nil if nothing is foreseen); and the
-- same without regard to leases that may run out.
local function outlook()
  local lease = head(LEASES)
  local soonest
  if meta.paused ~= '1' then
    local due = least(head(SCHEDULED), head(RETRYING))
    soonest = due and math.max(0, due - now)
    if room(1) > 0 then
      local allowed = gcra(1)
      if allowed > 0 then return true, 0, 0 end
      local _, _, wait = gcra(0)
      soonest = least(soonest, wait)
    end
  end
  local foreseen = least(soonest, lease and math.max(0, lease - now))
  return (lease and lease <= now or soonest == 0) or false, foreseen, soonest
end

-- Wake the next waiter: a marker with the time; see waiting.py.
local function wake()
  redis.call('ZADD', WAKE, NOW, '0')
end

-- At the end of a step: pass on what this client will not see to, work now and work within the next few seconds.
local function wake_for(claimable, soonest, has_room)
  if claimable or (soonest and soonest < RELAY_MS and not has_room) then wake() end
end
