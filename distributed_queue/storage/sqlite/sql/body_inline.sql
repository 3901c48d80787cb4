-- ?1 body or NULL, ?2 key
UPDATE tasks SET body = ?1 WHERE key = ?2
