-- ?1 queue, ?2 state, ?3 limit
SELECT key FROM tasks WHERE queue = ?1 AND state = ?2 AND state <> 1 LIMIT ?3
