-- ?1 queue. Since when the head of the line is ready
SELECT at_ms FROM tasks WHERE queue = ?1 AND state = 1 ORDER BY priority, sequence LIMIT 1
