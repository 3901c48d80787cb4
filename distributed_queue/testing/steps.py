"""Short ways to do to a storage what many tests do first, and to look at what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Change, ClaimedTask, QueueStats, Storage, StoredTask, TaskFilter
from distributed_queue.testing import builders
from distributed_queue.testing.builders import LEASE, Q

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Settlement

FAR_SECONDS = 1000.0
"""A delay that no test reaches by the way."""

REACHABLE = tuple(state for state in TaskStatus if state is not TaskStatus.BLOCKED)
"""The states that the verbs of the port can lead to."""


def enqueue(
    storage: Storage,
    *ids: str,
    queue: str = Q,
    task_type: str = builders.TYPE,
    priority: int = 100,
    delay: float | None = None,
    expires_at: float | None = None,
) -> list[bool]:
    """Enqueue tasks with these ids in one call."""
    return storage.enqueue(
        [
            builders.new_task(
                task_id, queue=queue, task_type=task_type, priority=priority, delay=delay, expires_at=expires_at
            )
            for task_id in ids
        ]
    )


def claim(
    storage: Storage, *queues: str, limit: int = 100, worker: str = "w1", lease_seconds: float = LEASE
) -> list[ClaimedTask]:
    """Claim tasks, from ``Q`` where no queue is named."""
    wish = builders.request(*queues, limit=limit, worker=worker, lease_seconds=lease_seconds)
    return storage.claim(wish).tasks


def claim_one(storage: Storage, queue: str = Q, worker: str = "w1", lease_seconds: float = LEASE) -> ClaimedTask:
    """Claim exactly one task."""
    (task,) = claim(storage, queue, limit=1, worker=worker, lease_seconds=lease_seconds)
    return task


def claim_ids(storage: Storage, *queues: str, limit: int = 100) -> list[str]:
    """Claim tasks; their ids, in the order given."""
    return [task.id for task in claim(storage, *queues, limit=limit)]


def sweep(storage: Storage, queue: str = Q) -> None:
    """Let a claim do all that it does, but take nothing."""
    assert claim(storage, queue, limit=0) == []


def settle(storage: Storage, settlement: Settlement) -> bool:
    """Report how one attempt ended."""
    (counted,) = storage.settle([settlement])
    return counted


def stored(storage: Storage, task_id: str = "t1", queue: str = Q) -> StoredTask:
    """The task, which has to be there."""
    (task,) = storage.get([task_id], queue)
    assert task is not None, f"no task {task_id!r} in queue {queue!r}"
    return task


def status(storage: Storage, task_id: str = "t1", queue: str = Q) -> TaskStatus | None:
    """The state of a task, None where there is no such task."""
    (task,) = storage.get([task_id], queue)
    return None if task is None else task.status


def listed(storage: Storage, where: TaskFilter | None = None, limit: int = 100) -> list[StoredTask]:
    """All tasks that match, over all pages."""
    tasks: list[StoredTask] = []
    cursor = None
    while True:
        page = storage.find(where or TaskFilter(), cursor, limit)
        tasks += page.tasks
        cursor = page.cursor
        if cursor is None:
            return tasks


def stats(storage: Storage, queue: str = Q) -> QueueStats:
    """The figures of one queue."""
    (figures,) = storage.stats([queue])
    return figures


def counter(storage: Storage, name: str, queue: str = Q) -> int:
    """A counter of a queue; 0 where it never counted."""
    return stats(storage, queue).counters.get(name, 0)


def changes(storage: Storage, queue: str = Q, after: int = 0) -> list[Change]:
    """All changes in the journal above a position."""
    return [change for entry in storage.journal(queue, after, 10_000) for change in entry.changes]


def events(storage: Storage, queue: str = Q, after: int = 0) -> list[tuple[str, str]]:
    """What happened to which task, from the journal above a position."""
    return [(change.event, change.task_id) for change in changes(storage, queue, after)]


def bring_to(storage: Storage, state: TaskStatus, task_id: str = "t1", queue: str = Q) -> StoredTask:
    """Put a new task into a state, in a queue that has no ready tasks, without moving the clock."""
    if state is TaskStatus.SCHEDULED:
        enqueue(storage, task_id, queue=queue, delay=FAR_SECONDS)
    elif state is TaskStatus.EXPIRED:
        enqueue(storage, task_id, queue=queue, expires_at=1.0)
        sweep(storage, queue)
    else:
        enqueue(storage, task_id, queue=queue)
        _bring_on(storage, state, task_id, queue)
    task = stored(storage, task_id, queue)
    assert task.status is state
    return task


def _bring_on(storage: Storage, state: TaskStatus, task_id: str, queue: str) -> None:
    if state is TaskStatus.PENDING:
        return
    if state is TaskStatus.CANCELLED:
        storage.cancel(queue, [task_id])
        return
    task = claim_one(storage, queue)
    ending = _ENDINGS.get(state)
    if ending is not None:
        storage.settle([ending(task)])


_ENDINGS: dict[TaskStatus, Callable[[ClaimedTask], Settlement]] = {
    TaskStatus.RETRYING: lambda task: builders.retry(task, FAR_SECONDS, b"why"),
    TaskStatus.COMPLETED: lambda task: builders.complete(task, b"done"),
    TaskStatus.DEAD: lambda task: builders.bury(task, error=b"why"),
}
