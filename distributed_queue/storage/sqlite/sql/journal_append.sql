-- ?1 queue, ?2 position, ?3 at, ?4 changes
INSERT INTO journal (queue, position, at_ms, changes) VALUES (?1, ?2, ?3, ?4)
