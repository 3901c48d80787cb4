"""Taking tasks: who gets what, and when to come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Claim, ClaimedTask, TaskUpdate
from distributed_queue.testing.builders import Q, complete, lease_of, new_task, release, request, retry
from distributed_queue.testing.steps import claim, claim_ids, claim_one, enqueue, settle, stored

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestClaim:
    """``claim``: the tasks it gives."""

    def test_a_claimed_task_comes_with_all_that_a_worker_needs(self, storage: Storage, clock: ManualClock) -> None:
        created = clock.now()
        storage.enqueue([new_task(priority=7, body=b"body", expires_at=created + 60)])
        clock.advance(2)
        assert claim(storage) == [
            ClaimedTask(
                queue=Q,
                id="t1",
                attempt=1,
                priority=7,
                body=b"body",
                failures=0,
                crashes=0,
                created_at=created,
                claimed_at=created + 2,
                expires_at=created + 60,
            )
        ]

    def test_a_claimed_task_is_processing_with_an_open_lease(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        clock.advance(1)
        claim(storage, worker="w7", lease_seconds=20)
        task = stored(storage)
        assert task.status is TaskStatus.PROCESSING
        assert (task.worker_id, task.attempt) == ("w7", 1)
        assert task.started_at == clock.now()
        assert task.lease_expires_at == clock.now() + 20

    def test_a_claimed_task_is_given_to_nobody_else(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        assert claim_ids(storage, limit=1) == ["t1"]
        assert claim_ids(second_storage) == ["t2"]
        assert claim_ids(storage) == []

    @pytest.mark.parametrize(("limit", "given"), [(0, 0), (1, 1), (3, 3), (5, 5), (100, 5)])
    def test_no_more_tasks_are_given_than_asked_for(self, storage: Storage, limit: int, given: int) -> None:
        enqueue(storage, *"abcde")
        assert claim_ids(storage, limit=limit) == list("abcde")[:given]

    def test_an_empty_queue_gives_nothing(self, storage: Storage) -> None:
        storage.configure(Q, {})
        assert storage.claim(request()) == Claim([], None)

    def test_a_queue_that_nobody_used_gives_nothing(self, storage: Storage) -> None:
        assert storage.claim(request("nobody")) == Claim([], None)

    def test_each_claim_counts_an_attempt(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        for attempt in (1, 2, 3):
            task = claim_one(storage)
            assert task.attempt == attempt
            settle(storage, release(task))

    def test_failures_and_crashes_come_with_the_task(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage)))
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        task = claim_one(storage)
        assert (task.attempt, task.failures, task.crashes) == (3, 1, 1)

    def test_an_updated_body_is_what_the_worker_gets(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.update(Q, "t1", TaskUpdate(body=b"changed"))
        assert claim_one(storage).body == b"changed"

    def test_a_claim_clears_the_progress_of_the_attempt_before(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        storage.update(Q, "t1", TaskUpdate(progress=b"half", attempt=task.attempt))
        settle(storage, release(task))
        assert stored(storage).progress == b"half"
        claim_one(storage)
        assert stored(storage).progress is None

    def test_each_claimed_task_has_its_own_lease(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2")
        claim_one(storage, lease_seconds=10)
        claim_one(storage, lease_seconds=20)
        expected = [clock.now() + 10, clock.now() + 20]
        assert [stored(storage, task_id).lease_expires_at for task_id in ("t1", "t2")] == expected


class TestClaimFromSeveralQueues:
    """``claim``: queues in order of preference."""

    def test_a_later_queue_fills_what_the_earlier_ones_left(self, storage: Storage) -> None:
        enqueue(storage, "a1", "a2", queue="a")
        enqueue(storage, "b1", "b2", queue="b")
        assert claim_ids(storage, "a", "b", limit=3) == ["a1", "a2", "b1"]

    def test_preference_beats_priority(self, storage: Storage) -> None:
        enqueue(storage, "a1", queue="a", priority=900)
        enqueue(storage, "b1", queue="b", priority=0)
        assert claim_ids(storage, "a", "b", limit=1) == ["a1"]
        enqueue(storage, "a2", queue="a", priority=900)
        assert claim_ids(storage, "b", "a", limit=1) == ["b1"]

    def test_tasks_bear_the_name_of_their_queue(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="b")
        enqueue(storage, "t1", queue="a")
        assert [(task.queue, task.id) for task in claim(storage, "a", "b")] == [("a", "t1"), ("b", "t1")]

    def test_what_many_queues_have_is_given_in_their_order(self, storage: Storage) -> None:
        names = [f"q{number}" for number in range(30)]
        for name in names[::2]:
            enqueue(storage, f"{name}-1", f"{name}-2", queue=name)
        first = claim(storage, *names, limit=25)
        assert [task.id for task in first] == [f"{name}-{each}" for name in names[::2] for each in (1, 2)][:25]
        assert claim_ids(storage, *names, limit=3) == ["q24-2", "q26-1", "q26-2"]

    def test_what_a_settlement_frees_in_an_earlier_queue_is_taken_before_a_later_one(self, storage: Storage) -> None:
        storage.configure("b", {"concurrency": 1})
        enqueue(storage, "b1", "b2", queue="b")
        enqueue(storage, "c1", "c2", queue="c")
        (b1,) = claim(storage, "b")
        answer = storage.exchange([complete(b1)], request("a", "b", "c", limit=2))
        assert [task.id for task in answer.claim.tasks] == ["b2", "c1"]

    def test_what_is_released_in_an_earlier_queue_is_taken_before_a_later_one(self, storage: Storage) -> None:
        enqueue(storage, "b1", queue="b")
        enqueue(storage, "c1", queue="c")
        (b1,) = claim(storage, "b")
        answer = storage.exchange([release(b1)], request("a", "b", "c", limit=1))
        assert [task.id for task in answer.claim.tasks] == ["b1"]

    def test_attempts_of_many_queues_are_settled_together_with_a_claim(self, storage: Storage) -> None:
        names = [f"q{number}" for number in range(10)]
        for name in names:
            enqueue(storage, f"{name}-1", f"{name}-2", queue=name)
        held = claim(storage, *names, limit=13)
        answer = storage.exchange([complete(task) for task in held], request(*names[3:], limit=5))
        assert answer.settled == [True] * 13
        assert [task.id for task in answer.claim.tasks] == ["q6-2", "q7-1", "q7-2", "q8-1", "q8-2"]

    def test_queues_not_asked_for_are_left_alone(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        assert claim_ids(storage, "b", "c") == []
        assert claim_ids(storage, "a") == ["t1"]


class TestNextDue:
    """``claim``: when to come back."""

    def test_at_once_while_more_is_ready(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        assert storage.claim(request(limit=1)).next_due == 0

    def test_when_the_next_task_becomes_due(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=9)
        enqueue(storage, "t2", delay=5)
        assert storage.claim(request()).next_due == pytest.approx(5)
        clock.advance(2)
        assert storage.claim(request()).next_due == pytest.approx(3)

    def test_when_the_first_lease_runs_out(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2")
        claim_one(storage, lease_seconds=20)
        assert storage.claim(request(limit=1, lease_seconds=50)).next_due == pytest.approx(20)
        clock.advance(4)
        assert storage.claim(request()).next_due == pytest.approx(16)

    def test_when_an_extended_lease_runs_out(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.extend([lease_of(claim_one(storage, lease_seconds=20))], 40)
        assert storage.claim(request()).next_due == pytest.approx(40)

    def test_when_a_failed_task_is_tried_again(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), delay=7))
        assert storage.claim(request()).next_due == pytest.approx(7)

    def test_the_soonest_of_all_queues_counts(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a", delay=9)
        enqueue(storage, "t2", queue="b", delay=5)
        assert storage.claim(request("a", "b")).next_due == pytest.approx(5)
        assert storage.claim(request("a")).next_due == pytest.approx(9)
