-- ?1 names of queues as JSON. Each with its next lease end and the due times of its next scheduled and retrying task
SELECT
    CASE WHEN q.processing > 0 THEN
        (SELECT at_ms FROM tasks WHERE queue = q.key AND state = 2 AND state <> 1 ORDER BY at_ms LIMIT 1) END,
    CASE WHEN q.scheduled > 0 THEN
        (SELECT at_ms FROM tasks WHERE queue = q.key AND state = 0 AND state <> 1 ORDER BY at_ms LIMIT 1) END,
    CASE WHEN q.retrying > 0 THEN
        (SELECT at_ms FROM tasks WHERE queue = q.key AND state = 3 AND state <> 1 ORDER BY at_ms LIMIT 1) END,
    q.*
FROM json_each(?1) AS wanted CROSS JOIN queue_rows AS q ON q.name = wanted.value
