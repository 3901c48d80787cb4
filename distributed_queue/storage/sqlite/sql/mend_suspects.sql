-- ?1 the largest count, ?2 most rows. Tasks that no version of this engine can have written.
SELECT t.key, q.name, CAST(t.id AS BLOB), CAST(t.type AS BLOB)
FROM tasks AS t JOIN queues AS q ON q.key = t.queue
WHERE t.state NOT BETWEEN 0 AND 8
    OR t.attempt NOT BETWEEN 0 AND ?1 OR t.failures NOT BETWEEN 0 AND ?1 OR t.crashes NOT BETWEEN 0 AND ?1
    OR NOT is_text(CAST(t.id AS BLOB)) OR NOT is_text(CAST(t.type AS BLOB))
    OR NOT is_text(CAST(t.worker_id AS BLOB)) OR NOT is_text(CAST(t.reason AS BLOB))
LIMIT ?2
