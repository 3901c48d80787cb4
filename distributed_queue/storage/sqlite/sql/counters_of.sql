-- ?1 queue
SELECT name, value FROM counters WHERE queue = ?1
