-- ?1 keys as JSON
SELECT q.name, b.body, t.*
FROM json_each(?1) AS wanted
CROSS JOIN task_rows AS t ON t.key = wanted.value
CROSS JOIN task_bodies AS b ON b.key = t.key
CROSS JOIN queues AS q ON q.key = t.queue
