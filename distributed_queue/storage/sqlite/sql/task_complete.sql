-- ?1 at, ?2 result, ?3 key
UPDATE tasks SET state = 5, at_ms = ?1, result = ?2, error = NULL WHERE key = ?3
