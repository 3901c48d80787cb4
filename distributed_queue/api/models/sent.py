"""Submitted tasks as they mostly come, read in one step: faster than with ``TaskIn`` and ``BatchIn``, which rule.

What these structs take is what the models take, and means the same; what they do not take, be it wrong, or only rare,
is left to the models. So the models alone decide what is an error, and what is said of it.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distributed_queue.core.ids import new_task_id
from distributed_queue.core.retry import MAX_DELAY_SECONDS, MAX_RETRIES_LIMIT
from distributed_queue.core.task import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_PRIORITY,
    MAX_PRIORITY,
    MIN_PRIORITY,
    Task,
)
from distributed_queue.core.times import MAX_EPOCH_SECONDS

Seconds = Annotated[float, Meta(ge=0, le=MAX_EPOCH_SECONDS)]


class TaskSent(msgspec.Struct, forbid_unknown_fields=True):
    """What ``TaskIn`` has, but for retry policies and times as texts."""

    payload: Any
    priority: Annotated[int, Meta(ge=MIN_PRIORITY, le=MAX_PRIORITY)] = DEFAULT_PRIORITY
    queue: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,100}\Z")] = "default"
    execute_after: Seconds | None = None
    delay: Annotated[float, Meta(ge=0, le=10 * MAX_DELAY_SECONDS)] | None = None
    max_retries: Annotated[int, Meta(ge=0, le=MAX_RETRIES_LIMIT)] = DEFAULT_MAX_RETRIES
    timeout: Annotated[float, Meta(ge=0.001, le=MAX_DELAY_SECONDS)] | None = None
    expires_at: Seconds | None = None
    task_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,200}\Z")] | None = None

    def task(self, task_id: str | None = None) -> Task:
        """See ``TaskIn.task``."""
        return Task(
            self.priority,
            self.payload,
            task_id=self.task_id or task_id or new_task_id(),
            queue=self.queue,
            execute_after=self.execute_after,
            delay=self.delay,
            max_retries=self.max_retries,
            timeout=self.timeout,
            expires_at=self.expires_at,
        )


class BatchSent(msgspec.Struct, forbid_unknown_fields=True):
    """What ``BatchIn`` has."""

    tasks: Annotated[list[TaskSent], Meta(min_length=1)]


UNFIT = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises for bytes that are no such struct."""
