SELECT * FROM queue_rows ORDER BY name
