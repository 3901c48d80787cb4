"""Tasks as the table has them, and their translation to what the port speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.history import AttemptOutcome, StoredAttempt, history_of
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import StoredTask

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND_MS = 1000

SCHEDULED, PENDING, PROCESSING, RETRYING, BLOCKED, COMPLETED, DEAD, CANCELLED, EXPIRED = range(9)
"""States as stored. The numbers are part of the file's layout, and stand as such in its SQL."""
STATUS = (
    TaskStatus.SCHEDULED,
    TaskStatus.PENDING,
    TaskStatus.PROCESSING,
    TaskStatus.RETRYING,
    TaskStatus.BLOCKED,
    TaskStatus.COMPLETED,
    TaskStatus.DEAD,
    TaskStatus.CANCELLED,
    TaskStatus.EXPIRED,
)
"""The status for each stored number."""
CODE = {status: code for code, status in enumerate(STATUS)}
"""The stored number for each status."""

ATTEMPT_OUTCOMES = (
    AttemptOutcome.SUCCEEDED,
    AttemptOutcome.FAILED,
    AttemptOutcome.CRASHED,
    AttemptOutcome.SNOOZED,
    AttemptOutcome.RELEASED,
    AttemptOutcome.CANCELLED,
    AttemptOutcome.RUNNING,
)
"""By their number in the table ``attempts``. The order is part of the file's layout."""

INLINE_BYTES = 256
"""Bodies up to this size stand in their task's row. Larger ones have a table of their own: SQLite rewrites a whole row
with every change, and a body never changes. (Small ones are cheaper in the row: one insert and one look-up less.)"""


class TaskRow(msgspec.Struct, gc=False):
    """A task without its body. The fields are the columns of the view ``task_rows``; times in milliseconds."""

    key: int
    queue: int
    id: str
    type: str
    state: int
    priority: int
    sequence: int
    at_ms: int
    """Pending: ready since; scheduled, retrying: due; processing: end of the lease; finished: when."""
    created_ms: int
    started_ms: int
    expires_ms: int | None
    attempt: int
    failures: int
    crashes: int
    cancel_requested: int
    worker_id: str | None
    reason: str | None
    error: bytes | None
    progress: bytes | None
    result: bytes | None

    def changeable(self) -> tuple[object, ...]:
        """The values of ``task_save.sql``."""
        return (
            self.state,
            self.priority,
            self.sequence,
            self.at_ms,
            self.expires_ms,
            self.failures,
            self.crashes,
            self.cancel_requested,
            self.reason,
            self.error,
            self.progress,
            self.result,
            self.key,
        )

    def stored(self, queue: str, body: bytes | None, attempts: Iterable[StoredAttempt] | None = None) -> StoredTask:
        """The task as the port describes it, without a history where no attempts are given.

        Who deleted its body leaves it without one, which nobody can read.
        """
        status, at = STATUS[self.state], self.at_ms / SECOND_MS
        running = status is TaskStatus.PROCESSING
        started_at = self.started_ms / SECOND_MS if self.attempt else None
        finished_at = at if status.finished else None
        return StoredTask(
            queue=queue,
            id=self.id,
            type=self.type,
            status=status,
            priority=self.priority,
            body=body or b"",
            attempt=self.attempt,
            failures=self.failures,
            crashes=self.crashes,
            created_at=self.created_ms / SECOND_MS,
            due_at=at if status in (TaskStatus.SCHEDULED, TaskStatus.RETRYING) else None,
            expires_at=seconds(self.expires_ms),
            started_at=started_at,
            finished_at=finished_at,
            worker_id=self.worker_id if running else None,
            lease_expires_at=at if running else None,
            cancel_requested=bool(self.cancel_requested),
            result=self.result,
            error=self.error,
            reason=self.reason,
            progress=self.progress,
            history=()
            if attempts is None
            else history_of(
                attempts,
                status=status,
                attempt=self.attempt,
                started_at=started_at,
                finished_at=finished_at,
                worker_id=self.worker_id,
            ),
        )


def seconds(milliseconds: int | None) -> float | None:
    """The same time in seconds."""
    return None if milliseconds is None else milliseconds / SECOND_MS
