-- ?1 keys as JSON
DELETE FROM tasks WHERE key IN (SELECT value FROM json_each(?1))
