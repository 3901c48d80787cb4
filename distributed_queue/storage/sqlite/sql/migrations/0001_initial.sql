-- States, by code: 0 scheduled, 1 pending, 2 processing, 3 retrying, 4 blocked, 5 completed, 6 dead, 7 cancelled,
-- 8 expired. Times are whole milliseconds since the epoch.

CREATE TABLE queues (
    key           INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    config        TEXT    NOT NULL,            -- QueueConfig as JSON
    sequence      INTEGER NOT NULL DEFAULT 0,  -- the last sequence number given out
    tat_ms        REAL    NOT NULL DEFAULT 0,  -- the state of the rate limit
    journal_tail  INTEGER NOT NULL DEFAULT 0,
    journal_bytes INTEGER NOT NULL DEFAULT 0,
    -- Tasks by state, kept in the step that changes them, so that nothing ever has to count rows.
    scheduled     INTEGER NOT NULL DEFAULT 0,
    pending       INTEGER NOT NULL DEFAULT 0,
    processing    INTEGER NOT NULL DEFAULT 0,
    retrying      INTEGER NOT NULL DEFAULT 0,
    blocked       INTEGER NOT NULL DEFAULT 0,
    completed     INTEGER NOT NULL DEFAULT 0,
    dead          INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    expired       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE tasks (
    key              INTEGER PRIMARY KEY,
    queue            INTEGER NOT NULL,
    id               TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    state            INTEGER NOT NULL,
    priority         INTEGER NOT NULL,
    sequence         INTEGER NOT NULL,
    -- What a state hangs on: pending, ready since; scheduled and retrying, due; processing, the lease's deadline;
    -- finished states, when. One column, so that one index serves them all.
    at_ms            INTEGER NOT NULL,
    created_ms       INTEGER NOT NULL,
    started_ms       INTEGER NOT NULL,  -- means something once attempt > 0
    expires_ms       INTEGER,
    attempt          INTEGER NOT NULL DEFAULT 0,
    failures         INTEGER NOT NULL DEFAULT 0,
    crashes          INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    worker_id        TEXT,
    reason           TEXT,
    error            BLOB,
    progress         BLOB,
    result           BLOB,
    body             BLOB               -- NULL where it is in bodies
) STRICT;

-- By id first: get looks in all queues.
CREATE UNIQUE INDEX tasks_by_id ON tasks (id, queue);
CREATE INDEX tasks_ready ON tasks (queue, priority, sequence) WHERE state = 1;
CREATE INDEX tasks_by_time ON tasks (queue, state, at_ms, id) WHERE state <> 1;
CREATE INDEX tasks_expiring ON tasks (queue, expires_ms, id) WHERE expires_ms IS NOT NULL AND state IN (0, 1, 3, 4);

-- Bodies too large to be rewritten with each change of their task's row.
CREATE TABLE bodies (
    key  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
    queue    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    changes  BLOB    NOT NULL,  -- MessagePack
    PRIMARY KEY (queue, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    queue INTEGER NOT NULL,
    name  TEXT    NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (queue, name)
) STRICT, WITHOUT ROWID;

-- The task types that are counted apart.
CREATE TABLE types (
    queue INTEGER NOT NULL,
    type  TEXT    NOT NULL,
    PRIMARY KEY (queue, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    id      TEXT PRIMARY KEY,
    beat_at REAL NOT NULL,  -- seconds, as the clock gave them
    info    BLOB NOT NULL   -- WorkerInfo as MessagePack
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    key     INTEGER PRIMARY KEY,
    worker  TEXT NOT NULL,
    left_at REAL NOT NULL,
    command BLOB NOT NULL   -- Command as MessagePack
) STRICT;

CREATE INDEX commands_by_worker ON commands (worker, key);

-- What the engine reads a queue and a task as: the columns, in the order of the fields of Queue and TaskRow.
CREATE VIEW queue_rows AS
SELECT key, name, config, sequence, tat_ms, journal_tail, journal_bytes,
    scheduled, pending, processing, retrying, blocked, completed, dead, cancelled, expired
FROM queues;

CREATE VIEW task_rows AS
SELECT key, queue, id, type, state, priority, sequence, at_ms, created_ms, started_ms, expires_ms, attempt, failures,
    crashes, cancel_requested, worker_id, reason, error, progress, result
FROM tasks;

CREATE VIEW task_bodies AS
SELECT key, coalesce(body, (SELECT body FROM bodies WHERE bodies.key = tasks.key)) AS body FROM tasks;
