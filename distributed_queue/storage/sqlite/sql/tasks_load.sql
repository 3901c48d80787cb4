-- ?1 queue, ?2 ids as JSON
SELECT t.* FROM json_each(?2) AS wanted CROSS JOIN task_rows AS t ON t.id = wanted.value AND t.queue = ?1
