-- ?1 queue, ?2 limit
SELECT t.key, t.id, t.type, t.priority, t.attempt, t.failures, t.crashes, t.created_ms, t.expires_ms, t.at_ms,
    coalesce(t.body, (SELECT body FROM bodies AS b WHERE b.key = t.key))
FROM tasks AS t WHERE t.queue = ?1 AND t.state = 1 ORDER BY t.priority, t.sequence LIMIT ?2
