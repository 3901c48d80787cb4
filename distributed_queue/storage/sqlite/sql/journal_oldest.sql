-- ?1 queue, ?2 limit
SELECT position, at_ms, length(changes) FROM journal WHERE queue = ?1 ORDER BY position LIMIT ?2
