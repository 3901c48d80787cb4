-- ?1 queue, ?2 now, ?3 limit
SELECT * FROM task_rows
WHERE queue = ?1 AND expires_ms <= ?2 AND expires_ms IS NOT NULL AND state IN (0, 1, 3, 4)
ORDER BY expires_ms, id LIMIT ?3
