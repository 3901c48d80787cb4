-- ?1 ids as JSON, ?2 queue's name
SELECT q.name, b.body, t.*
FROM json_each(?1) AS wanted
CROSS JOIN task_rows AS t ON t.id = wanted.value AND t.queue = (SELECT key FROM queues WHERE name = ?2)
CROSS JOIN task_bodies AS b ON b.key = t.key
CROSS JOIN queues AS q ON q.key = t.queue
