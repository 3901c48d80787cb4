-- ?1 queue, ?2 ids as JSON. Those that the queue has
SELECT t.id FROM json_each(?2) AS wanted CROSS JOIN tasks AS t ON t.id = wanted.value AND t.queue = ?1
