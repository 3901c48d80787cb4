-- ?1 keys of tasks as JSON
DELETE FROM attempts WHERE task IN (SELECT value FROM json_each(?1))
