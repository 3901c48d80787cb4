-- ?1 name, ?2 config
INSERT INTO queues (name, config) VALUES (?1, ?2)
