-- ?1 queue, ?2 now, ?3 limit
SELECT * FROM task_rows WHERE queue = ?1 AND state = 2 AND state <> 1 AND at_ms <= ?2 ORDER BY at_ms, id LIMIT ?3
