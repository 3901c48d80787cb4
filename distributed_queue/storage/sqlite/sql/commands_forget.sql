-- ?1 until
DELETE FROM commands WHERE left_at <= ?1
