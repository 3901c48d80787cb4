UPDATE tasks SET state = ?, priority = ?, sequence = ?, at_ms = ?, expires_ms = ?, failures = ?, crashes = ?,
    cancel_requested = ?, reason = ?, error = ?, progress = ?, result = ?
WHERE key = ?
