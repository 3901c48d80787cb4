"""Doing something with all tasks that fit a search: counted first, then done in steps, each of a bounded length."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.lifecycle import LISTED_ORDER, REQUEUABLE, TaskStatus
from distributed_queue.dashboard.desk import TaskKey
from distributed_queue.dashboard.looking import batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from distributed_queue.core.storage import QueueStats, StoredTask
    from distributed_queue.dashboard.desk import Desk
    from distributed_queue.dashboard.search import Search

MOST_COUNTED = 100_000
"""Nobody needs to know more exactly how many there are."""
COUNT_SECONDS = 1.0
STEP_SECONDS = 2.0
"""How long one request works at most, but for the batch under way."""
_BATCH = 1000

STATES: dict[str, tuple[TaskStatus, ...]] = {
    "retry": tuple(state for state in LISTED_ORDER if state in REQUEUABLE),
    "cancel": tuple(state for state in LISTED_ORDER if not state.finished),
    "delete": tuple(state for state in LISTED_ORDER if state is not TaskStatus.PROCESSING),
}
"""Actions, and the states from which each is possible."""


class Count(NamedTuple):
    """How many tasks an action would change."""

    number: int
    least: bool = False
    """Whether there may be more: there was no time to count further."""
    states: Mapping[str, int] = {}  # never changed
    """The same by state."""


class Bulk(NamedTuple):
    """What is to be done with which tasks.

    Those that come after ``until``, be they new or finished anew, are left alone: they were not counted. So it ends,
    and what is retried and fails again is not retried again.
    """

    action: str
    search: Search
    until: float
    """Seconds since the epoch."""

    @property
    def states(self) -> tuple[TaskStatus, ...]:
        """Those that the tasks may be in."""
        return tuple(state for state in STATES[self.action] if self.search.status in {None, state})

    def concerns(self, task: StoredTask) -> bool:
        """Whether the task was there when it was counted."""
        return task.created_at <= self.until and (task.finished_at or 0.0) <= self.until


class Step(NamedTuple):
    """What one request has done."""

    changed: int
    cursor: str | None
    """Where the next one goes on; None where all is done."""


def count(desk: Desk, bulk: Bulk, stats: Iterable[QueueStats]) -> Count:
    """How many tasks it would change: from the queues' own figures where they tell, else by looking."""
    search = bulk.search
    if not search.needs_look and search.type is None:
        queues = [each for each in stats if search.queue in {None, each.queue}]
        return _count({str(state): sum(each.listed(state) for each in queues) for state in bulk.states})
    states: dict[str, int] = defaultdict(int)
    end, number = time.monotonic() + COUNT_SECONDS, 0
    for batch in batches(desk.queue.storage, search, bulk.until, bulk.states, size=_BATCH):
        for task in filter(bulk.concerns, batch.tasks):
            states[str(task.status)] += 1
            number += 1
        if batch.cursor and (number > MOST_COUNTED or time.monotonic() >= end):
            return _count(states, least=True)
    return _count(states)


def take_step(desk: Desk, bulk: Bulk, cursor: str | None) -> Step:
    """Change as many tasks as there is time for."""
    end, changed = time.monotonic() + STEP_SECONDS, 0
    for batch in batches(desk.queue.storage, bulk.search, bulk.until, bulk.states, cursor, size=_BATCH):
        changed += _change(desk, bulk.action, [task for task in batch.tasks if bulk.concerns(task)])
        if batch.cursor and time.monotonic() >= end:
            return Step(changed, batch.cursor)
    return Step(changed, None)


def _change(desk: Desk, action: str, tasks: Sequence[StoredTask]) -> int:
    keys = [TaskKey(task.queue, task.id) for task in tasks]
    if action == "retry":
        return desk.requeue(keys)
    if action == "delete":
        return desk.delete(keys)
    running = [TaskKey(task.queue, task.id) for task in tasks if task.status is TaskStatus.PROCESSING]
    return desk.cancel(running) + desk.cancel_waiting(key for key in keys if key not in set(running))


def _count(states: dict[str, int], *, least: bool = False) -> Count:
    return Count(sum(states.values()), least, {state: number for state, number in states.items() if number})
