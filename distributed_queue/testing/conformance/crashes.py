"""Leases that run out: the task comes back, and one that keeps killing its workers is buried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.testing.builders import Q, lease_of, release, retry
from distributed_queue.testing.steps import (
    claim,
    claim_ids,
    claim_one,
    enqueue,
    events,
    settle,
    status,
    stored,
    sweep,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


def crash(storage: Storage, clock: ManualClock) -> None:
    """Claim the next task, never to be heard of again."""
    claim_one(storage, lease_seconds=10)
    clock.advance(10)
    sweep(storage)


class TestCrashes:
    """What a claim does to leases that ran out."""

    def test_a_lease_runs_out_at_its_deadline_to_the_millisecond(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        clock.advance(9.999)
        sweep(storage)
        assert status(storage) is TaskStatus.PROCESSING
        clock.advance(0.001)
        sweep(storage)
        assert status(storage) is TaskStatus.PENDING

    def test_the_task_is_ready_again_and_the_crash_counted(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        crash(storage, clock)
        task = stored(storage)
        assert (task.status, task.crashes, task.failures, task.attempt) == (TaskStatus.PENDING, 1, 0, 1)
        assert (task.worker_id, task.lease_expires_at) == (None, None)

    def test_the_claim_that_takes_it_back_may_give_it(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, worker="w1", lease_seconds=10)
        clock.advance(10)
        task = claim_one(storage, worker="w2")
        assert (task.attempt, task.crashes) == (2, 1)
        assert stored(storage).worker_id == "w2"

    def test_a_second_client_takes_it_back(self, storage: Storage, second_storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        assert claim_ids(second_storage) == ["t1"]

    def test_leases_of_other_queues_are_left_alone(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", queue="a")
        claim_one(storage, "a", lease_seconds=10)
        clock.advance(10)
        sweep(storage, "b")
        assert status(storage, "t1", "a") is TaskStatus.PROCESSING

    def test_the_third_crash_is_the_last(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        crash(storage, clock)
        crash(storage, clock)
        assert status(storage) is TaskStatus.PENDING
        crash(storage, clock)
        task = stored(storage)
        assert (task.status, task.reason, task.crashes) == (TaskStatus.DEAD, "crashed", 3)
        assert (task.finished_at, task.error) == (clock.now(), None)
        assert claim_ids(storage) == []

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_how_many_crashes_are_too_many_is_configurable(
        self, storage: Storage, clock: ManualClock, limit: int
    ) -> None:
        storage.configure(Q, {"max_crashes": limit})
        enqueue(storage, "t1")
        for crashes in range(limit):
            assert stored(storage).crashes == crashes
            crash(storage, clock)
        assert status(storage) is TaskStatus.DEAD

    def test_failures_and_crashes_are_counted_apart(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), error=b"why"))
        crash(storage, clock)
        task = stored(storage)
        assert (task.failures, task.crashes, task.error) == (1, 1, b"why")

    def test_crashes_stay_counted_through_a_release(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        crash(storage, clock)
        settle(storage, release(claim_one(storage)))
        crash(storage, clock)
        assert stored(storage).crashes == 2

    def test_a_task_that_was_asked_to_stop_is_cancelled(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        storage.cancel(Q, ["t1"])
        clock.advance(10)
        sweep(storage)
        task = stored(storage)
        assert (task.status, task.finished_at, task.crashes) == (TaskStatus.CANCELLED, clock.now(), 1)

    def test_cancellation_beats_burial(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"max_crashes": 1})
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        storage.cancel(Q, ["t1"])
        clock.advance(10)
        sweep(storage)
        assert status(storage) is TaskStatus.CANCELLED

    def test_leases_are_taken_back_by_deadline_then_id(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "b", "late", "a", "c")
        leases = {task.id: lease_of(task) for task in claim(storage, lease_seconds=10)}
        storage.extend([leases["late"]], 12)
        storage.extend([leases["c"]], 9)
        clock.advance(12)
        tail = storage.journal_tail(Q)
        sweep(storage)
        assert events(storage, after=tail) == [("lease_expired", task_id) for task_id in ("c", "a", "b", "late")]
