"""Old attempts: they change nothing, and are told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Lease, LeaseState, Outcome, Settlement, TaskUpdate
from distributed_queue.testing.builders import Q, bury, complete, lease_of, of_attempt, release, retry, settlement
from distributed_queue.testing.steps import bring_to, claim_one, counter, enqueue, settle, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import ClaimedTask, Storage


class TestFencing:
    """Settle, extend and update with the attempt of an earlier claim."""

    @pytest.fixture
    def overtaken(self, storage: Storage, clock: ManualClock) -> ClaimedTask:
        """An attempt whose lease ran out, of a task that another worker has by now."""
        enqueue(storage, "t1")
        old = claim_one(storage, worker="slow", lease_seconds=10)
        clock.advance(10)
        claim_one(storage, worker="quick", lease_seconds=100)
        return old

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_an_old_attempt_settles_nothing(self, storage: Storage, overtaken: ClaimedTask, outcome: Outcome) -> None:
        before = stored(storage)
        old = settlement(overtaken, outcome, result=b"old", error=b"old", delay=1, reason="old")
        assert storage.settle([old]) == [False]
        assert stored(storage) == before

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_an_old_attempt_settles_nothing_after_the_new_one_completed(
        self, storage: Storage, overtaken: ClaimedTask, outcome: Outcome
    ) -> None:
        new = stored(storage)
        assert settle(storage, complete(of_attempt(overtaken, new.attempt), b"new"))
        before = stored(storage)
        assert storage.settle([settlement(overtaken, outcome, result=b"old")]) == [False]
        assert stored(storage) == before

    @pytest.mark.parametrize("attempt", [0, 2, 99])
    def test_an_attempt_that_never_was_settles_nothing(self, storage: Storage, attempt: int) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        before = stored(storage)
        assert not settle(storage, complete(of_attempt(task, attempt)))
        assert stored(storage) == before

    def test_a_task_that_was_never_claimed_cannot_be_settled(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        claim_one(storage)
        before = stored(storage, "t2")
        assert storage.settle([Settlement(Q, "t2", attempt, Outcome.COMPLETE) for attempt in (0, 1)]) == [False, False]
        assert stored(storage, "t2") == before

    def test_complete_after_the_lease_was_taken_back_changes_nothing(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage, lease_seconds=10)
        clock.advance(10)
        sweep(storage)
        before = stored(storage)
        assert before.status is TaskStatus.PENDING
        assert not settle(storage, complete(task, b"late"))
        assert stored(storage) == before

    @pytest.mark.parametrize("state", [TaskStatus.COMPLETED, TaskStatus.DEAD], ids=str)
    def test_an_attempt_ends_once(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state)
        before = stored(storage)
        other = Outcome.COMPLETE if state is TaskStatus.DEAD else Outcome.BURY
        assert storage.settle([Settlement(Q, "t1", before.attempt, other)]) == [False]
        assert stored(storage) == before

    def test_an_old_attempt_cannot_extend(self, storage: Storage, overtaken: ClaimedTask) -> None:
        before = stored(storage)
        assert storage.extend([lease_of(overtaken)], 500) == [LeaseState.LOST]
        assert stored(storage) == before

    def test_an_old_attempt_cannot_report_progress(self, storage: Storage, overtaken: ClaimedTask) -> None:
        assert not storage.update(Q, "t1", TaskUpdate(progress=b"old", attempt=overtaken.attempt))
        assert stored(storage).progress is None

    @pytest.mark.parametrize("state", [s for s in TaskStatus if s.finished], ids=str)
    def test_the_lease_of_a_finished_task_is_lost(self, storage: Storage, state: TaskStatus) -> None:
        task = bring_to(storage, state)
        assert storage.extend([Lease(Q, "t1", task.attempt)], 10) == [LeaseState.LOST]
        assert stored(storage) == task

    def test_a_released_task_cannot_be_extended(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        settle(storage, release(task))
        assert storage.extend([lease_of(task)], 10) == [LeaseState.LOST]

    def test_the_lease_of_an_unknown_task_is_lost(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        assert storage.extend([Lease(Q, "nobody", 1)], 10) == [LeaseState.LOST]

    def test_attempts_go_on_after_a_requeue_so_older_ones_stay_fenced(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        old = claim_one(storage)
        settle(storage, bury(old))
        storage.requeue(Q, ["t1"])
        assert claim_one(storage).attempt == 2
        assert not settle(storage, retry(old))

    def test_what_was_fenced_is_counted(self, storage: Storage, overtaken: ClaimedTask) -> None:
        storage.settle([complete(overtaken), retry(overtaken)])
        storage.extend([lease_of(overtaken)], 10)
        assert counter(storage, "fenced.settle|") == 2
        assert counter(storage, "fenced.extend|") == 1
