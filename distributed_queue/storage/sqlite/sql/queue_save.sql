-- Values in the order of the columns, then the key
UPDATE queues SET config = ?, sequence = ?, tat_ms = ?, journal_tail = ?, journal_bytes = ?,
    scheduled = ?, pending = ?, processing = ?, retrying = ?, blocked = ?, completed = ?, dead = ?, cancelled = ?,
    expired = ?
WHERE key = ?
