"""The rate limit: so many starts at once, then so many a second, over all clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.testing.builders import Q, complete, request
from distributed_queue.testing.steps import claim, claim_ids, enqueue, stats

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestRateLimit:
    """``rate_limit`` and ``rate_burst``."""

    @pytest.fixture
    def backlog(self, storage: Storage) -> list[str]:
        """Sixty ready tasks; their ids."""
        ids = [f"t{number:02}" for number in range(60)]
        enqueue(storage, *ids)
        return ids

    @pytest.mark.parametrize(("rate", "burst"), [(5, 5), (1, 1), (2.5, 2), (0.5, 1), (100, 60)])
    def test_without_a_burst_one_seconds_worth_starts_at_once(
        self, storage: Storage, backlog: list[str], rate: float, burst: int
    ) -> None:
        storage.configure(Q, {"rate_limit": rate})
        assert claim_ids(storage) == backlog[:burst]
        assert claim_ids(storage) == []

    @pytest.mark.parametrize("burst", [1, 3, 20])
    def test_a_burst_starts_at_once(self, storage: Storage, backlog: list[str], burst: int) -> None:
        storage.configure(Q, {"rate_limit": 5, "rate_burst": burst})
        assert claim_ids(storage) == backlog[:burst]

    def test_then_one_starts_with_each_interval(self, storage: Storage, clock: ManualClock, backlog: list[str]) -> None:
        storage.configure(Q, {"rate_limit": 5, "rate_burst": 1})
        for number in range(10):
            assert claim_ids(storage) == [backlog[number]]
            clock.advance(0.199)
            assert claim_ids(storage) == []
            clock.advance(0.001)

    def test_the_answer_says_when_the_next_may_start(
        self, storage: Storage, clock: ManualClock, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 4, "rate_burst": 2})
        answer = storage.claim(request())
        assert len(answer.tasks) == 2
        assert answer.next_due == pytest.approx(0.25)
        clock.advance(0.1)
        assert storage.claim(request()).next_due == pytest.approx(0.15)

    def test_a_limit_of_the_claim_below_that_of_the_rate_leaves_the_rest(
        self, storage: Storage, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 5})
        answer = storage.claim(request(limit=2))
        assert (len(answer.tasks), answer.next_due) == (2, 0)
        assert len(claim(storage)) == 3

    def test_idle_time_saves_up_no_more_than_the_burst(
        self, storage: Storage, clock: ManualClock, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 10, "rate_burst": 3})
        clock.advance(3600)
        assert len(claim(storage)) == 3

    def test_idle_time_saves_up_what_it_is_worth(
        self, storage: Storage, clock: ManualClock, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 10, "rate_burst": 10})
        claim(storage)
        clock.advance(0.45)
        assert len(claim(storage)) == 4
        clock.advance(0.05)
        assert len(claim(storage)) == 1

    def test_over_any_time_no_more_start_than_allowed(
        self, storage: Storage, second_storage: Storage, clock: ManualClock, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 8, "rate_burst": 4})
        started = 0
        for step in range(80):
            started += len(claim([storage, second_storage][step % 2], limit=1 + step % 3, lease_seconds=500))
            # 50 ms a step, so step * 0.05 s have passed.
            assert started <= 4 + 8 * step * 0.05 + 1e-9
            clock.advance(0.05)
        assert started == 4 + int(8 * 79 * 0.05)

    def test_settled_tasks_do_not_give_their_start_back(self, storage: Storage, backlog: list[str]) -> None:
        storage.configure(Q, {"rate_limit": 2})
        tasks = claim(storage)
        assert storage.exchange([complete(task) for task in tasks], request()).claim.tasks == []

    def test_other_queues_are_not_held_up(self, storage: Storage, backlog: list[str]) -> None:
        enqueue(storage, "u1", "u2", queue="other")
        storage.configure(Q, {"rate_limit": 1})
        assert claim_ids(storage, Q, "other") == ["t00", "u1", "u2"]

    def test_claims_that_give_nothing_use_nothing_up(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"rate_limit": 2, "rate_burst": 2})
        for _ in range(5):
            assert claim_ids(storage) == []
        enqueue(storage, "t1", "t2", "t3")
        assert claim_ids(storage) == ["t1", "t2"]

    def test_expired_tasks_use_nothing_up(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"rate_limit": 2, "rate_burst": 2})
        enqueue(storage, "old1", "old2", expires_at=clock.now() + 1)
        clock.advance(1)
        enqueue(storage, "t1", "t2", "t3")
        assert claim_ids(storage) == ["t1", "t2"]

    def test_a_limit_can_be_lifted(self, storage: Storage, backlog: list[str]) -> None:
        storage.configure(Q, {"rate_limit": 1})
        claim(storage)
        storage.configure(Q, {"rate_limit": None})
        assert len(claim(storage)) == 59

    def test_a_limit_set_later_starts_with_a_full_burst(
        self, storage: Storage, clock: ManualClock, backlog: list[str]
    ) -> None:
        claim(storage, limit=30)
        storage.configure(Q, {"rate_limit": 3})
        assert len(claim(storage)) == 3

    def test_the_limit_holds_for_all_clients_together(
        self, storage: Storage, second_storage: Storage, backlog: list[str]
    ) -> None:
        storage.configure(Q, {"rate_limit": 5})
        assert len(claim(storage, limit=3)) + len(claim(second_storage)) + len(claim(storage)) == 5

    def test_what_is_held_back_stays_in_line(self, storage: Storage, clock: ManualClock, backlog: list[str]) -> None:
        storage.configure(Q, {"rate_limit": 1})
        assert claim_ids(storage) == ["t00"]
        enqueue(storage, "urgent", priority=1)
        assert stats(storage).depth == 60
        clock.advance(1)
        assert claim_ids(storage) == ["urgent"]

    @pytest.mark.parametrize("rate", [3, 7, 11, 29, 59])
    def test_a_burst_taken_in_parts_is_a_whole_burst(self, storage: Storage, backlog: list[str], rate: int) -> None:
        storage.configure(Q, {"rate_limit": rate})
        given: list[str] = []
        while batch := claim_ids(storage, limit=3):
            given += batch
        assert given == backlog[:rate]
