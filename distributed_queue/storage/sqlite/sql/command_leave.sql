-- ?1 worker, ?2 at, ?3 command
INSERT INTO commands (worker, left_at, command) VALUES (?1, ?2, ?3)
