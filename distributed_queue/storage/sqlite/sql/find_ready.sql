-- ?1 queue, ?2 and ?3 after (priority, sequence), ?4 limit
SELECT key, priority, sequence, type FROM tasks
WHERE queue = ?1 AND state = 1 AND (priority, sequence) > (?2, ?3) ORDER BY priority, sequence LIMIT ?4
