-- ?1 queue, ?2 up to this position
DELETE FROM journal WHERE queue = ?1 AND position <= ?2
