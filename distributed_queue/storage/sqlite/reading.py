"""Reading tasks and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from distributed_queue.core.history import StoredAttempt
from distributed_queue.core.storage import DUE_LIMIT, QueueConfig, QueueStats, StoredTask
from distributed_queue.storage.sqlite.queue import Horizon, Queue
from distributed_queue.storage.sqlite.rows import (
    ATTEMPT_OUTCOMES,
    PENDING,
    RETRYING,
    SCHEDULED,
    SECOND_MS,
    STATUS,
    TaskRow,
)
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.step import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

GET_IN_QUEUE = sql("get_in_queue")
GET_ANYWHERE = sql("get_anywhere")
ATTEMPTS_OF = sql("attempts_of")
QUEUE_LOAD = sql("queue_load")
QUEUES_ALL = sql("queues_all")
QUEUE_NAMES = sql("queue_names")
COUNTERS_OF = sql("counters_of")
READY_OLDEST = sql("ready_oldest")
DUE_COUNT = sql("due_count")
WATCH = sql("watch")


class Read(Protocol):
    """How a statement is run, by a step or by a reader: all rows that it finds."""

    def __call__(self, statement: str, /, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of mixed types."""
        ...


def get(read: Read, ids: Sequence[str], queue: str | None) -> list[StoredTask | None]:
    """The tasks with these ids, in a queue, or in the first by name that has each."""
    wanted = as_json(dict.fromkeys(ids))
    rows = read(GET_ANYWHERE, wanted) if queue is None else read(GET_IN_QUEUE, wanted, queue)
    found: dict[str, StoredTask] = {}
    attempts = _attempts(read, [row[2] for row in rows])
    for name, body, *columns in rows:
        row = TaskRow(*columns)
        if row.id not in found or name < found[row.id].queue:
            found[row.id] = row.stored(name, body, attempts.get(row.key, ()))
    return [found.get(task_id) for task_id in ids]


def _attempts(read: Read, keys: list[int]) -> dict[int, list[StoredAttempt]]:
    """What is kept of the attempts of tasks, by the tasks' keys."""
    kept: dict[int, list[StoredAttempt]] = {}
    for key, attempt, outcome, started_ms, ended_ms, worker_id, note in read(ATTEMPTS_OF, as_json(keys)):
        times = started_ms / SECOND_MS, ended_ms / SECOND_MS
        each = StoredAttempt(attempt, ATTEMPT_OUTCOMES[outcome], *times, worker_id, note)
        kept.setdefault(key, []).append(each)
    return kept


def queue_names(read: Read) -> tuple[str, ...]:
    """All queues, sorted."""
    return tuple(name for (name,) in read(QUEUE_NAMES))


def config(read: Read, name: str) -> QueueConfig | None:
    """A queue's settings; None if there is no such queue."""
    rows = read(QUEUE_LOAD, name)
    return Queue(rows[0]).config if rows else None


def stats(read: Read, names: Sequence[str] | None, now_ms: int) -> list[QueueStats]:
    """Figures of these queues, or of all, sorted by name."""
    wanted = None if names is None else set(names)
    queues = [Queue(row) for row in read(QUEUES_ALL)]
    return [_stats(read, queue, now_ms) for queue in queues if wanted is None or queue.name in wanted]


def _stats(read: Read, queue: Queue, now_ms: int) -> QueueStats:
    head = read(READY_OLDEST, queue.key) if queue.counts[PENDING] else []
    due = {
        STATUS[state]: read(DUE_COUNT, queue.key, state, now_ms, DUE_LIMIT)[0]
        for state in (SCHEDULED, RETRYING)
        if queue.counts[state]
    }
    longest = min((since for _, since in due.values() if since is not None), default=None)
    return QueueStats.at(
        queue.name,
        dict(zip(STATUS, queue.counts, strict=True)),
        queue.config,
        due={state: number for state, (number, _) in due.items()},
        ready_age=(now_ms - head[0][0]) / SECOND_MS if head else None,
        due_age=None if longest is None else (now_ms - longest) / SECOND_MS,
        counters=dict(read(COUNTERS_OF, queue.key)),
    )


def outlook(read: Read, names: Sequence[str], now_ms: int) -> tuple[tuple[str, ...], float | None]:
    """The queues of which a claim would give something now, and the milliseconds until one more may; None: unknown."""
    claimable: list[str] = []
    foreseen: list[float] = []
    for lease, scheduled, retrying, *row in read(WATCH, as_json(sorted(set(names)))):
        queue, horizon = Queue(tuple(row)), Horizon(lease, scheduled, retrying)
        if queue.claimable(now_ms, horizon):
            claimable.append(queue.name)
        due_ms = queue.next_due_ms(now_ms, horizon)
        if due_ms is not None:
            foreseen.append(due_ms)
    return tuple(sorted(claimable)), min(foreseen, default=None)
