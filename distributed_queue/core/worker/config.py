"""What a worker can be told when it is made."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distributed_queue.core.options import check_count, check_number, check_queue_names, check_weights
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from distributed_queue.core.task import Task

LEASE_SECONDS = 30.0
_NAME = re.compile(r"[A-Za-z0-9._:@-]{1,100}")


@dataclass
class WorkerConfig:
    """A worker's name, size and manners. Raises ``ConfigurationError`` for values that make no sense."""

    name: str = "worker-1"
    """Shown to operators; letters, digits and ``. _ : @ -``, up to 100. Need not be unique."""
    max_workers: int = 10
    """Handlers that run at the same time."""
    poll_interval: float = 0.1
    """Seconds before the storage is asked again after it could not be reached; doubles up to 2 s, with jitter.

    Work is not polled for: the storage wakes the worker."""
    shutdown_timeout: float = 30.0
    """Seconds that running handlers get to finish when the worker stops; then their tasks are given back."""
    error_handler: Callable[[Task, BaseException], object] | None = None
    """Called for each failed attempt, in the handler's thread. What it raises is logged."""
    queues: Sequence[str] | None = None
    """Queues to take from, the preferred ones first; None means all there are, in turn."""
    lease_seconds: float | None = None
    """Length of a lease, renewed while the handler runs. None means 30 s, or the queue's visibility timeout if that is
    shorter. It is how long a killed worker's tasks are out of reach."""
    stuck_seconds: float = 5.0
    """How long a handler in a thread may ignore that it was told to stop, before its slot is replaced."""
    max_stuck: int | None = None
    """How many handlers that ignore it there may be before the worker stops, so that its process can be replaced: only
    that frees what they hold. None for no limit."""

    children: int = os.cpu_count() or 1
    """Child processes for handlers with ``executor="process"``. They are started when they are needed."""
    child_max_tasks: int | None = None
    """Tasks after which a child is replaced; None for no limit."""
    child_max_age: float | None = None
    """Seconds after which a child is replaced, between two tasks."""
    child_max_memory: int | None = None
    """Bytes. A child that takes more is killed while a handler runs, and replaced between two tasks.

    Where the system has no ``/proc``, it is looked at between tasks only."""
    child_imports: Sequence[str] = ()
    """Modules that a child imports first: what sets a process up for the handlers. ``dq worker`` names those that it
    loads itself."""
    queue_weights: Mapping[str, int] | None = None
    """How often each of the ``queues`` is the first to be asked, compared with the others; 1 for those not named. None
    means strict order: a queue is only asked for what those before it leave room for."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"{self.name!r:.120} is not a worker name: use letters, digits and . _ : @ -, up to 100"
            )
        check_slots(self.max_workers)
        check_count("children", self.children, 1, 1000)
        if self.max_stuck is not None:
            check_count("max_stuck", self.max_stuck, 1, 1_000_000)
        if self.child_max_tasks is not None:
            check_count("child_max_tasks", self.child_max_tasks, 1, 1_000_000_000)
        if self.child_max_age is not None:
            check_number("child_max_age", self.child_max_age, 0.001, 1e9)
        if self.child_max_memory is not None:
            check_count("child_max_memory", self.child_max_memory, 1 << 20, 1 << 50)
        for field, lowest in (("poll_interval", 0.001), ("shutdown_timeout", 0.0), ("stuck_seconds", 0.0)):
            check_number(field, getattr(self, field), lowest, 1e6)
        if self.lease_seconds is not None:
            check_number("lease_seconds", self.lease_seconds, 0.1, 86_400)
        if self.queues is not None:
            self.queues = check_queue_names(self.queues)
        if self.queue_weights is not None:
            self.queue_weights = check_weights(self.queue_weights, self.queues)


def check_slots(max_workers: int) -> int:
    """Return the number, or raise ``ConfigurationError``."""
    return check_count("max_workers", max_workers, 1, 10_000)
