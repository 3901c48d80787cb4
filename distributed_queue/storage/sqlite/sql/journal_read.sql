-- ?1 queue's name, ?2 after, ?3 limit
SELECT position, at_ms, changes FROM journal
WHERE queue = (SELECT key FROM queues WHERE name = ?1) AND position > ?2 ORDER BY position LIMIT ?3
