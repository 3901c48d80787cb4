INSERT INTO tasks (queue, id, type, state, priority, sequence, at_ms, created_ms, started_ms, expires_ms, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
