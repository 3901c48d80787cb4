-- ?1 deadline, ?2 key
UPDATE tasks SET at_ms = ?1 WHERE key = ?2
