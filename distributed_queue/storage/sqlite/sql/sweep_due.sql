-- ?1 queue, ?2 now, ?3 limit. Two ranges of one index, merged
SELECT * FROM task_rows WHERE queue = ?1 AND state = 0 AND state <> 1 AND at_ms <= ?2
UNION ALL
SELECT * FROM task_rows WHERE queue = ?1 AND state = 3 AND state <> 1 AND at_ms <= ?2
ORDER BY at_ms, id LIMIT ?3
