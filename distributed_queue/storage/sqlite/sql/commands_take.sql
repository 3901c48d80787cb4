-- ?1 worker
DELETE FROM commands WHERE worker = ?1
