"""The task that the calling handler runs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.attempt import Attempt

running_attempt: ContextVar[Attempt] = ContextVar("distributed_queue.running_attempt")


def current_task() -> Task:
    """The task that runs here. Its ``attempt`` is the fencing token for writes of one's own.

    Raises ``LookupError`` outside of a handler.
    """
    try:
        return running_attempt.get().task
    except LookupError:
        raise LookupError("current_task() was called outside of a handler") from None
