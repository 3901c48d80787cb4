-- What is kept of attempts, in a table of its own: SQLite rewrites a whole row with every change, and most tasks have none.
CREATE TABLE attempts (
    task       INTEGER NOT NULL,  -- its key
    place      INTEGER NOT NULL,  -- the attempt modulo history.HISTORY_LIMIT
    attempt    INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,  -- by its number in rows.ATTEMPT_OUTCOMES
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    worker_id  TEXT,
    note       BLOB,
    PRIMARY KEY (task, place)
) STRICT, WITHOUT ROWID;
