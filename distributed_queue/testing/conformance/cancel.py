"""Cancelling: at once what waits, by request what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import FINISHED, TaskStatus
from distributed_queue.core.storage import LeaseState, Outcome
from distributed_queue.testing.builders import Q, bury, complete, lease_of, settlement
from distributed_queue.testing.steps import (
    FAR_SECONDS,
    bring_to,
    claim_ids,
    claim_one,
    enqueue,
    events,
    settle,
    status,
    stored,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

WAITING = [TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING]


class TestCancel:
    """``cancel``."""

    @pytest.mark.parametrize("state", WAITING, ids=str)
    def test_a_waiting_task_is_cancelled_at_once(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        bring_to(storage, state)
        (task,) = storage.cancel(Q, ["t1"])
        assert task == stored(storage)
        assert (task.status, task.finished_at, task.due_at) == (TaskStatus.CANCELLED, clock.now(), None)

    @pytest.mark.parametrize("state", WAITING, ids=str)
    def test_a_cancelled_task_never_runs(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        bring_to(storage, state)
        storage.cancel(Q, ["t1"])
        clock.advance(2 * FAR_SECONDS)
        assert claim_ids(storage) == []

    @pytest.mark.parametrize("state", sorted(FINISHED), ids=str)
    def test_a_finished_task_stays_as_it_is(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        clock.advance(1)
        assert storage.cancel(Q, ["t1"]) == [before]
        assert stored(storage) == before

    def test_an_unknown_task_is_none(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        assert storage.cancel(Q, ["nobody"]) == [None]
        assert storage.cancel(Q, []) == []

    def test_many_are_cancelled_in_one_call_and_answered_in_order(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        answers = storage.cancel(Q, ["t3", "nobody", "t1"])
        assert [None if task is None else task.id for task in answers] == ["t3", None, "t1"]
        assert claim_ids(storage) == ["t2"]

    def test_only_the_named_queue_is_concerned(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t1", queue="b")
        storage.cancel("a", ["t1"])
        assert status(storage, "t1", "b") is TaskStatus.PENDING

    def test_a_running_task_is_asked_to_stop(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claim_one(storage)
        (task,) = storage.cancel(Q, ["t1"])
        assert task is not None
        assert (task.status, task.cancel_requested, task.finished_at) == (TaskStatus.PROCESSING, True, None)

    def test_the_worker_learns_of_it_when_it_extends(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        second_storage.cancel(Q, ["t1"])
        assert storage.extend([lease_of(task)], 10) == [LeaseState.CANCEL]

    @pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE, Outcome.CANCEL], ids=str)
    def test_an_attempt_that_would_go_on_later_is_cancelled_instead(
        self, storage: Storage, clock: ManualClock, outcome: Outcome
    ) -> None:
        enqueue(storage, "t1")
        claimed = claim_one(storage)
        storage.cancel(Q, ["t1"])
        assert settle(storage, settlement(claimed, outcome, delay=5))
        task = stored(storage)
        assert (task.status, task.finished_at, task.due_at) == (TaskStatus.CANCELLED, clock.now(), None)
        assert task.failures == (1 if outcome is Outcome.RETRY else 0)

    def test_an_attempt_that_succeeds_all_the_same_is_completed(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claimed = claim_one(storage)
        storage.cancel(Q, ["t1"])
        assert settle(storage, complete(claimed, b"done"))
        task = stored(storage)
        assert (task.status, task.result) == (TaskStatus.COMPLETED, b"done")

    def test_an_attempt_that_fails_for_good_all_the_same_is_dead(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claimed = claim_one(storage)
        storage.cancel(Q, ["t1"])
        assert settle(storage, bury(claimed))
        assert status(storage) is TaskStatus.DEAD

    def test_asking_again_is_not_journalled(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claim_one(storage)
        tail = storage.journal_tail(Q)
        storage.cancel(Q, ["t1"])
        storage.cancel(Q, ["t1", "t1"])
        assert events(storage, after=tail) == [("cancel_requested", "t1")]
