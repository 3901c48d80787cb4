-- ?1 worker
SELECT left_at, command FROM commands WHERE worker = ?1 ORDER BY key
