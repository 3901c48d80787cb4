-- ?1 queue. When the next lease ends, and the next scheduled, retrying and expiring task has its time; NULL: none
SELECT
    (SELECT at_ms FROM tasks WHERE queue = ?1 AND state = 2 AND state <> 1 ORDER BY at_ms LIMIT 1),
    (SELECT at_ms FROM tasks WHERE queue = ?1 AND state = 0 AND state <> 1 ORDER BY at_ms LIMIT 1),
    (SELECT at_ms FROM tasks WHERE queue = ?1 AND state = 3 AND state <> 1 ORDER BY at_ms LIMIT 1),
    (SELECT expires_ms FROM tasks WHERE queue = ?1 AND expires_ms IS NOT NULL AND state IN (0, 1, 3, 4)
     ORDER BY expires_ms LIMIT 1)
