"""The in-memory queue, and the names that programs import from here."""

from __future__ import annotations

from typing import Any

from distributed_queue.core.hybrid_queue import DEFAULT_VISIBILITY_TIMEOUT, HybridQueue, StorageBackend
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task

__all__ = ["PriorityQueue", "Task", "TaskStatus"]


class PriorityQueue(HybridQueue):
    """A queue in this process's memory; its tasks are lost when the process ends. The options of ``HybridQueue``."""

    def __init__(
        self,
        max_size: int | None = None,
        rate_limit: float | None = None,
        visibility_timeout: float = DEFAULT_VISIBILITY_TIMEOUT,
        **options: Any,
    ) -> None:
        super().__init__(StorageBackend.MEMORY, max_size, rate_limit, visibility_timeout, **options)
