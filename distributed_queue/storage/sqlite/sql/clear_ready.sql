-- ?1 queue, ?2 limit
SELECT key FROM tasks WHERE queue = ?1 AND state = 1 LIMIT ?2
