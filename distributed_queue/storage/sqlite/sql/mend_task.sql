UPDATE tasks SET id = ?, type = ?, state = 6, reason = ?, at_ms = ?, worker_id = NULL, cancel_requested = 0, attempt = 0,
    failures = 0, crashes = 0
WHERE key = ?
