"""DistributedQ: a task queue that starts with one command and no server, and grows without a change of code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from distributed_queue.version import __version__

if TYPE_CHECKING:
    from distributed_queue.core.app import Depends, DistributedQ, Middleware, TaskHandle
    from distributed_queue.core.async_queue import AsyncQueue
    from distributed_queue.core.hybrid_queue import HybridQueue, StorageBackend
    from distributed_queue.core.lifecycle import TaskStatus
    from distributed_queue.core.queue import PriorityQueue
    from distributed_queue.core.retry import Backoff, Retry, RetryPolicy
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker import TaskLogHandler, Worker, WorkerConfig, WorkerPool, current_task
    from distributed_queue.errors import DeadLetter, Discard, RetryLater, Snooze

_HOMES = {
    "AsyncQueue": "core.async_queue",
    "Backoff": "core.retry",
    "DeadLetter": "errors",
    "Depends": "core.app",
    "Discard": "errors",
    "DistributedQ": "core.app",
    "HybridQueue": "core.hybrid_queue",
    "Middleware": "core.app",
    "PriorityQueue": "core.queue",
    "Retry": "core.retry",
    "RetryLater": "errors",
    "RetryPolicy": "core.retry",
    "Snooze": "errors",
    "StorageBackend": "core.hybrid_queue",
    "Task": "core.task",
    "TaskHandle": "core.app",
    "TaskLogHandler": "core.worker",
    "TaskStatus": "core.lifecycle",
    "Worker": "core.worker",
    "WorkerConfig": "core.worker",
    "WorkerPool": "core.worker",
    "current_task": "core.worker",
}

__all__ = [
    "AsyncQueue",
    "Backoff",
    "DeadLetter",
    "Depends",
    "Discard",
    "DistributedQ",
    "HybridQueue",
    "Middleware",
    "PriorityQueue",
    "Retry",
    "RetryLater",
    "RetryPolicy",
    "Snooze",
    "StorageBackend",
    "Task",
    "TaskHandle",
    "TaskLogHandler",
    "TaskStatus",
    "Worker",
    "WorkerConfig",
    "WorkerPool",
    "__version__",
    "current_task",
]


def __getattr__(name: str) -> object:
    # Imported when first asked for: a program pays only for what it uses.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
