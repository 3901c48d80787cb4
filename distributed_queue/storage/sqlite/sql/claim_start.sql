-- ?1 deadline, ?2 now, ?3 worker, ?4 keys as JSON
UPDATE tasks SET state = 2, attempt = attempt + 1, at_ms = ?1, started_ms = ?2, worker_id = ?3, progress = NULL
WHERE key IN (SELECT value FROM json_each(?4))
