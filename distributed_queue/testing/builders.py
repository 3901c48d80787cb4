"""Short ways to write the values of the port in tests: what a test does not name has a plain default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.storage import ClaimRequest, Lease, NewTask, Outcome, Settlement, WorkerInfo

if TYPE_CHECKING:
    from distributed_queue.core.storage import ClaimedTask

Q = "q"
"""The queue of tests that need only one."""
TYPE = "mail"
"""The type of tasks whose type does not matter."""
LEASE = 30.0
"""The lease, in seconds, that claims ask for."""


def new_task(
    task_id: str = "t1",
    *,
    queue: str = Q,
    task_type: str = TYPE,
    priority: int = 100,
    body: bytes = b"\x91\xa4body",
    execute_after: float | None = None,
    delay: float | None = None,
    expires_at: float | None = None,
) -> NewTask:
    """A task to enqueue."""
    return NewTask(
        id=task_id,
        queue=queue,
        type=task_type,
        priority=priority,
        body=body,
        execute_after=execute_after,
        delay=delay,
        expires_at=expires_at,
    )


def request(*queues: str, limit: int = 100, worker: str = "w1", lease_seconds: float = LEASE) -> ClaimRequest:
    """A wish for work, from ``Q`` where no queue is named."""
    return ClaimRequest(queues or (Q,), worker, limit, lease_seconds)


def lease_of(claimed: ClaimedTask) -> Lease:
    """The lease that came with a claimed task."""
    return Lease(claimed.queue, claimed.id, claimed.attempt)


def of_attempt(claimed: ClaimedTask, attempt: int) -> ClaimedTask:
    """The same task, claimed as another attempt."""
    return msgspec.structs.replace(claimed, attempt=attempt)


def settlement(
    claimed: ClaimedTask,
    outcome: Outcome,
    *,
    result: bytes | None = None,
    error: bytes | None = None,
    delay: float = 0.0,
    reason: str | None = None,
    note: bytes | None = None,
) -> Settlement:
    """How the attempt of a claimed task ended."""
    return Settlement(
        queue=claimed.queue,
        id=claimed.id,
        attempt=claimed.attempt,
        outcome=outcome,
        result=result,
        error=error,
        delay=delay,
        reason=reason,
        note=note,
    )


def complete(claimed: ClaimedTask, result: bytes | None = None, note: bytes | None = None) -> Settlement:
    """It succeeded."""
    return settlement(claimed, Outcome.COMPLETE, result=result, note=note)


def retry(
    claimed: ClaimedTask, delay: float = 0.0, error: bytes | None = None, note: bytes | None = None
) -> Settlement:
    """It failed and is to be tried again."""
    return settlement(claimed, Outcome.RETRY, delay=delay, error=error, note=note)


def bury(
    claimed: ClaimedTask, reason: str | None = None, error: bytes | None = None, note: bytes | None = None
) -> Settlement:
    """It failed for good."""
    return settlement(claimed, Outcome.BURY, reason=reason, error=error, note=note)


def release(claimed: ClaimedTask) -> Settlement:
    """It is given back."""
    return settlement(claimed, Outcome.RELEASE)


def snooze(claimed: ClaimedTask, delay: float) -> Settlement:
    """It is to run later."""
    return settlement(claimed, Outcome.SNOOZE, delay=delay)


def stop(claimed: ClaimedTask) -> Settlement:
    """It stopped because its cancellation was asked for."""
    return settlement(claimed, Outcome.CANCEL)


def worker_info(worker_id: str = "w1", name: str = "worker", state: str = "running", pid: int = 1) -> WorkerInfo:
    """What a worker reports with its beat."""
    return WorkerInfo(id=worker_id, name=name, host="host", pid=pid, state=state)
