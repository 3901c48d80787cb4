-- ?1 id, ?2 at, ?3 info
INSERT INTO workers (id, beat_at, info) VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, info = excluded.info
