-- ?1 keys as JSON
DELETE FROM bodies WHERE key IN (SELECT value FROM json_each(?1))
