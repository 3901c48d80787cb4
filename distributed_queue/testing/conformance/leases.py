"""Extending leases, and asking through them for a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Lease, LeaseState
from distributed_queue.testing.builders import Q, complete, lease_of
from distributed_queue.testing.steps import claim, claim_ids, claim_one, enqueue, settle, status, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestExtend:
    """``extend``."""

    def test_the_lease_ends_so_long_from_now(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=30)
        clock.advance(20)
        assert storage.extend([lease_of(task)], 30) == [LeaseState.HELD]
        assert stored(storage).lease_expires_at == clock.now() + 30

    def test_an_extended_lease_is_not_taken_back_at_its_old_end(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=10)
        storage.extend([lease_of(task)], 60)
        clock.advance(59.999)
        assert claim_ids(storage) == []
        assert settle(storage, complete(task))

    def test_an_extended_lease_is_taken_back_at_its_new_end(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        storage.extend([lease_of(claim_one(storage, lease_seconds=10))], 60)
        clock.advance(60)
        assert claim_ids(storage) == ["t1"]

    def test_a_lease_can_be_shortened(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        storage.extend([lease_of(claim_one(storage, lease_seconds=60))], 5)
        clock.advance(5)
        assert claim_ids(storage) == ["t1"]

    def test_a_lease_can_be_extended_again_and_again(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=10)
        for _ in range(10):
            clock.advance(9)
            sweep(storage)
            assert storage.extend([lease_of(task)], 10) == [LeaseState.HELD]
        assert stored(storage).crashes == 0

    def test_a_lease_that_ran_out_is_held_until_a_claim_takes_it_back(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=10)
        clock.advance(100)
        assert storage.extend([lease_of(task)], 10) == [LeaseState.HELD]
        assert claim_ids(storage) == []

    def test_each_lease_is_answered_for_itself(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        first, second, third = claim(storage)
        settle(storage, complete(second))
        storage.cancel(Q, ["t3"])
        leases = [Lease(Q, "nobody", 1), lease_of(third), lease_of(second), lease_of(first)]
        assert storage.extend(leases, 90) == [LeaseState.LOST, LeaseState.CANCEL, LeaseState.LOST, LeaseState.HELD]

    def test_leases_of_several_queues_are_extended_in_one_call(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t1", queue="b")
        leases = [lease_of(task) for task in claim(storage, "a", "b")]
        assert storage.extend(leases, 90) == [LeaseState.HELD] * 2
        assert [stored(storage, "t1", queue).lease_expires_at for queue in ("a", "b")] == [clock.now() + 90] * 2

    def test_nothing_is_extended_by_an_empty_call(self, storage: Storage) -> None:
        assert storage.extend([], 10) == []

    def test_a_second_client_may_extend(self, storage: Storage, second_storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        assert second_storage.extend([lease_of(claim_one(storage))], 77) == [LeaseState.HELD]
        assert stored(storage).lease_expires_at == clock.now() + 77

    def test_a_lease_whose_task_shall_stop_is_extended_and_says_so(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=10)
        storage.cancel(Q, ["t1"])
        clock.advance(5)
        assert storage.extend([lease_of(task)], 10) == [LeaseState.CANCEL]
        clock.advance(6)
        sweep(storage)
        assert status(storage) is TaskStatus.PROCESSING
