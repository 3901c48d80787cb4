"""Short ways to do to queues and workers what many tests do, and waiting with a limit."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed_queue.core.retry import Backoff, RetryPolicy
from distributed_queue.core.task import Task
from distributed_queue.core.worker import Worker, WorkerConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import Change

LIMIT = 20.0
"""Seconds after which what a test waits for counts as lost. Reached in failing tests only."""
AT_ONCE = RetryPolicy(backoff=Backoff.FIXED, base=0.0)
"""Retries without a pause."""


def put(queue: HybridQueue, /, payload: Any = None, priority: int = 100, **fields: Any) -> Task:
    """Put a new task, which the queue has room for."""
    task = Task(priority, payload, **fields)
    assert queue.put(task, block=False) is True
    return task


def take(queue: HybridQueue, worker_id: str | None = None, timeout: float | None = None) -> Task:
    """Get a task: now, or within ``timeout``."""
    task = queue.get(worker_id, block=timeout is not None, timeout=timeout)
    assert task is not None, "no task came"
    return task


def look(queue: HybridQueue, task: Task) -> Task:
    """The task as it is stored now."""
    stored = queue.get_task(task.task_id)
    assert stored is not None, "the task is not stored any more"
    return stored


def between(start: float | None, end: float | None) -> float:
    """Seconds from one time to the other, to the millisecond; both have to be there."""
    assert start is not None
    assert end is not None
    return round(end - start, 3)


def eventually(predicate: Callable[[], object], limit: float = LIMIT) -> None:
    """Wait until something is true that no event tells of. Fails after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not predicate():
        assert time.monotonic() < end, f"not true within {limit:g} s"
        time.sleep(0.005)


@contextmanager
def running(queue: HybridQueue, /, **options: Any) -> Iterator[Worker]:
    """A worker that runs in the block.

    ``handlers`` are functions by type, whose retries follow ``policy``; other options are those of the configuration.
    """
    handlers = options.pop("handlers", {})
    policy = options.pop("policy", AT_ONCE)
    worker = Worker(queue, WorkerConfig(**{"shutdown_timeout": 5.0, **options}))
    for task_type, function in handlers.items():
        worker.register_handler(task_type, function, retry=policy)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def finished(queue: HybridQueue, tasks: Iterable[Task], limit: float = LIMIT) -> list[Task]:
    """The tasks, once every one of them is finished."""
    end = time.monotonic() + limit
    return [queue.wait(task.task_id, max(0.0, end - time.monotonic())) for task in tasks]


def changes(queue: HybridQueue, name: str = "default") -> list[Change]:
    """All changes in a queue's journal."""
    found: list[Change] = []
    position = 0
    while entries := queue.storage.journal(name, position, 1000):
        position = entries[-1].position
        found += [change for entry in entries for change in entry.changes]
    return found
