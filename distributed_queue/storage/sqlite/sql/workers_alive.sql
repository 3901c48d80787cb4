-- ?1 after
SELECT info FROM workers WHERE beat_at > ?1
