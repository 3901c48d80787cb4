-- Leave a command for a worker. See Storage.command.
-- KEYS    1 the worker's commands, 2 the operation's record
-- ARGV    1 now in ms or '', 2 token, 3 command, 4 ms after which it is forgotten
-- Result  nothing
-- Cost    about 5 µs
-- include: time, operation

if recall() then return end
redis.call('RPUSH', KEYS[1], cmsgpack.pack(now, ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
remember(true)
