"""Tasks that are of no use after some time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import SWEEP_LIMIT
from distributed_queue.testing.builders import Q, complete, release, request, retry
from distributed_queue.testing.steps import (
    claim_ids,
    claim_one,
    enqueue,
    events,
    settle,
    stats,
    status,
    stored,
    sweep,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestExpiry:
    """``expires_at``."""

    def test_a_task_expires_at_its_time_to_the_millisecond(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        clock.advance(4.999)
        sweep(storage)
        assert status(storage) is TaskStatus.PENDING
        clock.advance(0.001)
        sweep(storage)
        task = stored(storage)
        assert (task.status, task.finished_at) == (TaskStatus.EXPIRED, clock.now())

    def test_it_can_be_claimed_until_then(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        clock.advance(4.999)
        assert claim_ids(storage) == ["t1"]

    def test_it_cannot_be_claimed_afterwards(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2", expires_at=clock.now() + 5)
        enqueue(storage, "t3")
        clock.advance(5)
        assert claim_ids(storage) == ["t3"]

    @pytest.mark.parametrize("delay", [5, 6, 1000])
    def test_a_task_that_is_not_due_before_expires_unseen(
        self, storage: Storage, clock: ManualClock, delay: float
    ) -> None:
        enqueue(storage, "t1", delay=delay, expires_at=clock.now() + 5)
        clock.advance(5)
        assert claim_ids(storage) == []
        task = stored(storage)
        assert (task.status, task.due_at, task.attempt) == (TaskStatus.EXPIRED, None, 0)

    def test_a_task_that_waits_for_its_next_try_expires(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        settle(storage, retry(claim_one(storage), delay=10, error=b"why"))
        clock.advance(5)
        sweep(storage)
        task = stored(storage)
        assert (task.status, task.error, task.failures) == (TaskStatus.EXPIRED, b"why", 1)

    def test_a_running_task_does_not(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        task = claim_one(storage, lease_seconds=60)
        clock.advance(20)
        sweep(storage)
        assert status(storage) is TaskStatus.PROCESSING
        assert settle(storage, complete(task))

    def test_a_task_given_back_too_late_does(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        task = claim_one(storage)
        clock.advance(6)
        assert storage.exchange([release(task)], request()).claim.tasks == []
        assert status(storage) is TaskStatus.EXPIRED

    def test_a_task_taken_back_too_late_expires_in_the_same_claim(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        tail = storage.journal_tail(Q)
        assert claim_ids(storage) == []
        assert events(storage, after=tail) == [("lease_expired", "t1"), ("expired", "t1")]

    def test_a_task_that_was_too_late_from_the_start_expires_at_the_next_claim(self, storage: Storage) -> None:
        enqueue(storage, "t1", expires_at=1.0)
        assert status(storage) is TaskStatus.PENDING
        assert claim_ids(storage) == []
        assert status(storage) is TaskStatus.EXPIRED

    def test_tasks_expire_by_time_then_id(self, storage: Storage, clock: ManualClock) -> None:
        for task_id, seconds in (("b", 5), ("late", 6), ("a", 5), ("early", 4)):
            enqueue(storage, task_id, expires_at=clock.now() + seconds)
        clock.advance(6)
        tail = storage.journal_tail(Q)
        sweep(storage)
        assert events(storage, after=tail) == [("expired", task_id) for task_id in ("early", "a", "b", "late")]

    def test_an_expired_task_makes_room(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"max_size": 1})
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        clock.advance(5)
        sweep(storage)
        assert enqueue(storage, "t2") == [True]

    def test_more_than_the_sweep_limit_do_not_hide_a_task_that_can_run(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, *(f"old{number:04}" for number in range(SWEEP_LIMIT + 5)), expires_at=clock.now() + 5)
        enqueue(storage, "fresh")
        clock.advance(5)
        assert claim_ids(storage, limit=1) == ["fresh"]
        assert stats(storage).counts[TaskStatus.EXPIRED] == SWEEP_LIMIT + 5
