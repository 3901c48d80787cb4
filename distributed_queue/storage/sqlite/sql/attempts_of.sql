-- ?1 keys of tasks as JSON
SELECT a.task, a.attempt, a.outcome, a.started_ms, a.ended_ms, a.worker_id, a.note
FROM json_each(?1) AS wanted CROSS JOIN attempts AS a ON a.task = wanted.value
