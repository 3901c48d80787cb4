"""The concurrency limit: so many open leases at once, over all clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.storage import Outcome
from distributed_queue.testing.builders import Q, complete, request, settlement
from distributed_queue.testing.steps import claim, claim_ids, claim_one, enqueue, settle

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestConcurrencyLimit:
    """``concurrency``."""

    @pytest.fixture(autouse=True)
    def backlog(self, storage: Storage) -> None:
        """Nine ready tasks."""
        enqueue(storage, *(f"t{number}" for number in range(9)))

    @pytest.mark.parametrize("limit", [0, 1, 4, 100])
    def test_no_more_leases_are_open_at_once(self, storage: Storage, limit: int) -> None:
        storage.configure(Q, {"concurrency": limit})
        assert len(claim(storage)) == min(limit, 9)
        assert claim(storage) == []

    def test_leases_of_all_clients_count(self, storage: Storage, second_storage: Storage) -> None:
        storage.configure(Q, {"concurrency": 3})
        assert claim_ids(storage, limit=2) == ["t0", "t1"]
        assert claim_ids(second_storage) == ["t2"]
        assert claim_ids(storage) == []

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_every_outcome_makes_room(self, storage: Storage, outcome: Outcome) -> None:
        storage.configure(Q, {"concurrency": 1})
        task = claim_one(storage)
        assert claim_ids(storage) == []
        settle(storage, settlement(task, outcome, delay=60))
        assert len(claim(storage)) == 1

    def test_a_lease_that_ran_out_makes_room(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"concurrency": 1})
        claim_one(storage, lease_seconds=10)
        clock.advance(9.999)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        assert claim_ids(storage) == ["t0"]

    def test_while_it_bites_the_next_lease_to_run_out_is_foreseen(self, storage: Storage) -> None:
        storage.configure(Q, {"concurrency": 1})
        assert storage.claim(request(lease_seconds=20)).next_due == pytest.approx(20)

    def test_with_no_lease_allowed_nothing_is_foreseen(self, storage: Storage) -> None:
        storage.configure(Q, {"concurrency": 0})
        assert storage.claim(request()).next_due is None

    def test_a_limit_below_the_open_leases_lets_none_start(self, storage: Storage) -> None:
        tasks = claim(storage, limit=3)
        storage.configure(Q, {"concurrency": 2})
        settle(storage, complete(tasks[0]))
        assert claim_ids(storage) == []
        settle(storage, complete(tasks[1]))
        assert claim_ids(storage) == ["t3"]

    def test_a_limit_can_be_lifted(self, storage: Storage) -> None:
        storage.configure(Q, {"concurrency": 1})
        claim(storage)
        storage.configure(Q, {"concurrency": None})
        assert len(claim(storage)) == 8

    def test_other_queues_are_not_held_up(self, storage: Storage) -> None:
        enqueue(storage, "u1", queue="other")
        storage.configure(Q, {"concurrency": 1})
        assert claim_ids(storage, Q, "other") == ["t0", "u1"]
        assert claim_ids(storage, Q, "other") == []

    def test_both_limits_hold_together(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"concurrency": 3, "rate_limit": 2, "rate_burst": 2})
        assert claim_ids(storage) == ["t0", "t1"]
        clock.advance(10)
        assert claim_ids(storage) == ["t2"]
        clock.advance(10)
        assert claim_ids(storage) == []
