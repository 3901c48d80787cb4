-- ?1 queue, ?2 type
SELECT 1 FROM types WHERE queue = ?1 AND type = ?2
