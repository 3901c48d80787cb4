"""How often a task has run and what is left of its retries, in words that stay true after it was requeued.

The number of attempts only grows: it is the fencing token. Retries count from the last requeue on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.lifecycle import TaskStatus

if TYPE_CHECKING:
    from distributed_queue.core.task import Task

_CRASHED = "crashed"


def retries(task: Task) -> str:
    """Which retry the latest attempt was, or the next one is, such as ``retry 1 of 3``; empty before the second."""
    # What killed a task was not followed by a retry; a crash is no failure in the first place.
    killed = task.status is TaskStatus.DEAD and task.reason != _CRASHED
    used = max(0, task.retry_count - killed)
    if not used and task.attempt <= 1:
        return ""
    if not task.max_retries:
        return f"retry {used:,}" if used else "no retries"
    # More than the task allows: its handler has a rule of its own.
    return f"retry {used:,} of {task.max_retries:,}" if used <= task.max_retries else f"retry {used:,}"


def was_requeued(task: Task) -> bool:
    """Whether all retries were given back since one of its attempts failed; as far as its history reaches."""
    failed = (AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT)
    return sum(each.outcome in failed for each in task.history) > task.retry_count


def failed_attempt(task: Task) -> int | None:
    """Which attempt its error is of, as far as its history reaches."""
    return next((each.attempt for each in reversed(task.history) if each.summary), None)
