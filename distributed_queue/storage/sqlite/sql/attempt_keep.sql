-- A note stays where none comes with the same attempt
INSERT INTO attempts (task, place, attempt, outcome, started_ms, ended_ms, worker_id, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task, place) DO UPDATE SET
    note = coalesce(excluded.note, CASE WHEN attempt = excluded.attempt THEN note END),
    attempt = excluded.attempt, outcome = excluded.outcome, started_ms = excluded.started_ms,
    ended_ms = excluded.ended_ms, worker_id = excluded.worker_id
