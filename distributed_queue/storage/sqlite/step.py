"""One atomic step: what an operation reads and writes inside the transaction that the writer has opened for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core import counters
from distributed_queue.core.history import HISTORY_LIMIT
from distributed_queue.core.storage import QueueConfig
from distributed_queue.storage.sqlite import journal
from distributed_queue.storage.sqlite.queue import Horizon, Queue, encode_config
from distributed_queue.storage.sqlite.rows import ATTEMPT_OUTCOMES, COMPLETED, TaskRow
from distributed_queue.storage.sqlite.statements import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

    from distributed_queue.core.history import AttemptOutcome
    from distributed_queue.storage.sqlite.remembered import Remembered

QUEUE_LOAD = sql("queue_load")
QUEUE_CREATE = sql("queue_create")
QUEUE_SAVE = sql("queue_save")
HORIZON = sql("horizon")
TASKS_LOAD = sql("tasks_load")
TASK_SAVE = sql("task_save")
TASK_COMPLETE = sql("task_complete")
TASKS_DELETE = sql("tasks_delete")
BODIES_DELETE = sql("bodies_delete")
ATTEMPT_KEEP = sql("attempt_keep")
ATTEMPT_OUTCOME = sql("attempt_outcome")
ATTEMPTS_DELETE = sql("attempts_delete")
TYPE_KNOWN = sql("type_known")
TYPE_ADD = sql("type_add")
COUNTER_ADD = sql("counter_add")

_NEW_QUEUE = encode_config(QueueConfig())
to_json = msgspec.json.Encoder().encode


def as_json(values: Iterable[object]) -> str:
    """A list as a statement takes it, for ``json_each``."""
    return to_json(list(values)).decode()


class Step:
    """Reads and writes at one time, ``now_ms``. Queues and tasks are loaded once and written back by ``finish``.

    A task that was changed is given to ``save``; before tasks are looked for by state or time, ``flush`` writes them.
    """

    def __init__(self, connection: apsw.Connection, remembered: Remembered, now_ms: int) -> None:
        self.now_ms = now_ms
        self.remembered = remembered
        self._connection = connection
        self._queues: dict[str, Queue] = {}
        self._changed: dict[int, TaskRow] = {}
        self._attempts: list[tuple[Any, ...]] = []

    # Statements

    def read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query. They are of mixed types."""
        return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, *values: Any) -> None:
        """Change something."""
        self._connection.execute(statement, values)

    def write_many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The same change for many."""
        if rows:
            self._connection.executemany(statement, rows)

    # Queues

    def queue(self, name: str) -> Queue:
        """The queue with this name, made if need be."""
        queue = self._queues.get(name)
        if queue is None:
            row = self.remembered.queues.get(name) or self._load(name)
            queue = self._queues[name] = Queue(row)
        return queue

    def _load(self, name: str) -> tuple[Any, ...]:
        rows = self.read(QUEUE_LOAD, name)
        if not rows:
            self.write(QUEUE_CREATE, name, _NEW_QUEUE)
            rows = self.read(QUEUE_LOAD, name)
        self.remembered.queues[name] = rows[0]
        return rows[0]

    def horizon(self, queue: Queue) -> Horizon:
        """The next moments of a queue."""
        self.flush()
        return Horizon(*self.read(HORIZON, queue.key)[0])

    # Tasks

    def tasks(self, queue: Queue, ids: Iterable[str]) -> dict[str, TaskRow]:
        """Those of these tasks that the queue has, by id."""
        return {row[2]: TaskRow(*row) for row in self.read(TASKS_LOAD, queue.key, as_json(ids))}

    def select(self, statement: str, *values: Any) -> list[TaskRow]:
        """Tasks that a query of ``task_rows`` finds."""
        self.flush()
        return [TaskRow(*row) for row in self.read(statement, *values)]

    def save(self, row: TaskRow) -> None:
        """Have a changed task written."""
        self._changed[row.key] = row

    def keep_attempt(self, row: TaskRow, outcome: AttemptOutcome, note: bytes | None = None) -> None:
        """Put a task's latest attempt into its history."""
        place, number = row.attempt % HISTORY_LIMIT, ATTEMPT_OUTCOMES.index(outcome)
        self._attempts.append((row.key, place, row.attempt, number, row.started_ms, self.now_ms, row.worker_id, note))

    def kept_outcome(self, row: TaskRow) -> AttemptOutcome | None:
        """How a task's latest attempt ended, if its history says."""
        self.flush()
        found = self.read(ATTEMPT_OUTCOME, row.key, row.attempt % HISTORY_LIMIT, row.attempt)
        return ATTEMPT_OUTCOMES[found[0][0]] if found else None

    def flush(self) -> None:
        """Write the changed tasks."""
        if self._attempts:
            self.write_many(ATTEMPT_KEEP, self._attempts)
            self._attempts = []
        if self._changed:
            rows, self._changed = self._changed.values(), {}
            # A task that has just been completed differs in two values only: worth a statement, it is the common case.
            completed = [row for row in rows if row.state == COMPLETED]
            self.write_many(TASK_COMPLETE, [(row.at_ms, row.result, row.key) for row in completed])
            self.write_many(TASK_SAVE, [row.changeable() for row in rows if row.state != COMPLETED])

    def forget(self, keys: Sequence[int]) -> None:
        """Remove tasks with their bodies and histories."""
        if keys:
            self.flush()
            listed = as_json(keys)
            self.write(BODIES_DELETE, listed)
            self.write(ATTEMPTS_DELETE, listed)
            self.write(TASKS_DELETE, listed)

    # The end

    def finish(self) -> dict[str, bool]:
        """Write what is left; the queues in which something changed, and whether a claim may give something."""
        self.flush()
        news: dict[str, bool] = {}
        for queue in self._queues.values():
            if queue.counted:
                self._add_counters(queue)
            if queue.changes:
                news[queue.name] = queue.promising
                journal.append(self, queue)
            if queue.dirty:
                values = queue.values()
                self.write(QUEUE_SAVE, *values, queue.key)
                self.remembered.queues[queue.name] = (queue.key, queue.name, *values)
        return news

    def _add_counters(self, queue: Queue) -> None:
        names: dict[str, str] = {}
        added: dict[str, int] = {}
        for (what, task_type), by in queue.counted.items():
            if task_type not in names:
                names[task_type] = self._counted_type(queue, task_type)
            name = counters.name(what, names[task_type])
            added[name] = added.get(name, 0) + by
        self.write_many(COUNTER_ADD, [(queue.key, name, by) for name, by in added.items()])

    def _counted_type(self, queue: Queue, task_type: str) -> str:
        """The type under which a type is counted: types beyond the limit are counted together."""
        key = (queue.key, task_type)
        if not task_type or key in self.remembered.types:
            return task_type
        if not self.read(TYPE_KNOWN, *key) and not self.read(TYPE_ADD, *key, counters.MAX_TYPES):
            return counters.OTHER_TYPE
        self.remembered.types.add(key)
        return task_type
