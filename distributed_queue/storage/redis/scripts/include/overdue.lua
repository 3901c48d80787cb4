-- How many finished tasks are to be forgotten: those that are too old or too many.
local KEEP_SECONDS, KEEP_COUNT = 3600, 100000

local function overdue_count()
  local oldest_kept = now - milliseconds(setting('retention_seconds', KEEP_SECONDS))
  local total, old = 0, 0
  for _, index in ipairs({COMPLETED, CANCELLED, EXPIRED}) do
    local size = redis.call('ZCARD', index)
    if size > 0 and head(index) <= oldest_kept then
      old = old + redis.call('ZCOUNT', index, '-inf', oldest_kept)
    end
    total = total + size
  end
  return math.max(old, total - setting('retention_count', KEEP_COUNT))
end
