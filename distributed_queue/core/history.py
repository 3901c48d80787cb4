"""What is kept of a task's attempts, and which of them.

Engines keep a record of each attempt that ended otherwise than by success, or of which its worker had something to
note, in the step that ends it. A task that succeeds at once has none: all that there is to tell stands in its own
fields. ``history_of`` puts both together.

The latest ``HISTORY_LIMIT`` attempts are kept, the attempt modulo that number being the place: to keep one twice is to
keep it once.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.lifecycle import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

HISTORY_LIMIT = 20
"""Attempts kept of each task. Those that are released or snoozed are among them."""


class AttemptOutcome(str, Enum):
    """How an attempt ended. ``str(outcome)`` is the word."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Whether it was tried again is told by what follows."""
    TIMED_OUT = "timed_out"
    """Failed, because its time was over."""
    CRASHED = "crashed"
    """Its lease ran out: the worker died, or could not reach the storage."""
    SNOOZED = "snoozed"
    RELEASED = "released"
    """Given back by a worker that stopped, or had taken too much."""
    CANCELLED = "cancelled"
    RUNNING = "running"

    def __str__(self) -> str:
        return self.value


class StoredAttempt(msgspec.Struct, frozen=True):
    """An attempt as storages keep it. For them ``timed_out`` is ``failed``: only the note knows."""

    attempt: int
    outcome: AttemptOutcome
    started_at: float
    ended_at: float | None
    """None while it runs."""
    worker_id: str | None
    note: bytes | None = None
    """What its worker had to say of it, encoded by ``core.notes``."""


def history_of(  # noqa: PLR0913 - what a task's own record tells of its latest attempt
    kept: Iterable[StoredAttempt],
    *,
    status: TaskStatus,
    attempt: int,
    started_at: float | None,
    finished_at: float | None,
    worker_id: str | None,
) -> tuple[StoredAttempt, ...]:
    """The attempts, the earliest first: those kept, and the one that runs or has succeeded."""
    known = {each.attempt: each for each in kept}
    if status in (TaskStatus.PROCESSING, TaskStatus.COMPLETED):
        ended = status is TaskStatus.COMPLETED
        known[attempt] = StoredAttempt(
            attempt,
            AttemptOutcome.SUCCEEDED if ended else AttemptOutcome.RUNNING,
            started_at or 0.0,
            finished_at if ended else None,
            worker_id,
            known[attempt].note if attempt in known else None,
        )
    return tuple(known[number] for number in sorted(known))[-HISTORY_LIMIT:]
