"""The task that the calling handler runs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.core.task import Task

running_task: ContextVar[Task] = ContextVar("distributed_queue.running_task")


def current_task() -> Task:
    """The task that runs here. Its ``attempt`` is the fencing token for writes of one's own.

    Raises ``LookupError`` outside of a handler.
    """
    try:
        return running_task.get()
    except LookupError:
        raise LookupError("current_task() was called outside of a handler") from None
