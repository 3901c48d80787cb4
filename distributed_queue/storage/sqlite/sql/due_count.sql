-- ?1 queue, ?2 state, ?3 now, ?4 limit. How many tasks are due, up to the limit, and since when the first of them is
SELECT COUNT(*), MIN(at_ms)
FROM (SELECT at_ms FROM tasks WHERE queue = ?1 AND state = ?2 AND state <> 1 AND at_ms <= ?3 ORDER BY at_ms LIMIT ?4)
