"""Letting everything run to its end after a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import ClaimRequest, Outcome, Settlement

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.testing.proof.recording import RecordingStorage

LEASE_SECONDS = 30.0
_ROUNDS = 20


def drain(storage: RecordingStorage, clock: ManualClock) -> None:
    """Work until nothing is left, with a healthy worker, then record how it ended."""
    names: tuple[str, ...] = storage.queues()
    for name in names:
        storage.resume(name)
    for _ in range(_ROUNDS):
        clock.advance(LEASE_SECONDS * 3)
        while tasks := storage.claim(ClaimRequest(names, "healthy", 10, LEASE_SECONDS)).tasks:
            storage.settle([Settlement(task.queue, task.id, task.attempt, Outcome.COMPLETE) for task in tasks])
        if not any(stats.depth + stats.counts[TaskStatus.PROCESSING] for stats in storage.stats(names)):
            break
    for name in names:
        storage.dump(name, drained=True)
