-- ?1 name
SELECT * FROM queue_rows WHERE name = ?1
