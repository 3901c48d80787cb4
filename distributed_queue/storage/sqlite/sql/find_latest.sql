-- ?1 queue, ?2 state, ?3 and ?4 before (at, id), ?5 limit
SELECT key, at_ms, id, type FROM tasks
WHERE queue = ?1 AND state = ?2 AND state <> 1 AND (at_ms, id) < (?3, ?4) ORDER BY at_ms DESC, id DESC LIMIT ?5
