-- ?1 queue, ?2 type, ?3 the most that there may be. Returns it if there was room
INSERT INTO types (queue, type) SELECT ?1, ?2 WHERE (SELECT count(*) FROM types WHERE queue = ?1) < ?3
RETURNING type
