-- ?1 body, ?2 queue, ?3 id
INSERT INTO bodies (key, body) SELECT key, ?1 FROM tasks WHERE id = ?3 AND queue = ?2
ON CONFLICT (key) DO UPDATE SET body = excluded.body
