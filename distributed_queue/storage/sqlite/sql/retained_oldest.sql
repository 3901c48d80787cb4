-- ?1 queue, ?2 finished until, ?3 limit. Completed, cancelled and expired tasks, merged from three ranges of one index
SELECT key, state, at_ms, id FROM tasks WHERE queue = ?1 AND state = 5 AND state <> 1 AND at_ms <= ?2
UNION ALL
SELECT key, state, at_ms, id FROM tasks WHERE queue = ?1 AND state = 7 AND state <> 1 AND at_ms <= ?2
UNION ALL
SELECT key, state, at_ms, id FROM tasks WHERE queue = ?1 AND state = 8 AND state <> 1 AND at_ms <= ?2
ORDER BY at_ms, id LIMIT ?3
