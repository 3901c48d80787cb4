-- ?1 queue's name
SELECT journal_tail FROM queues WHERE name = ?1
