"""Finished tasks: kept for a while, dead letters for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.testing.builders import Q, complete
from distributed_queue.testing.steps import (
    bring_to,
    claim,
    claim_ids,
    claim_one,
    enqueue,
    listed,
    settle,
    stats,
    status,
    sweep,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

TRIMMED = [TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.EXPIRED]


class TestRetention:
    """``retention_seconds`` and ``retention_count``."""

    @pytest.mark.parametrize("state", TRIMMED, ids=str)
    def test_a_finished_task_is_forgotten_after_its_time(
        self, storage: Storage, clock: ManualClock, state: TaskStatus
    ) -> None:
        storage.configure(Q, {"retention_seconds": 60})
        bring_to(storage, state)
        clock.advance(59.999)
        sweep(storage)
        assert status(storage) is state
        clock.advance(0.001)
        sweep(storage)
        assert status(storage) is None
        assert stats(storage).counts[state] == 0

    def test_by_default_it_is_kept_for_an_hour(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.COMPLETED)
        clock.advance(3599)
        sweep(storage)
        assert status(storage) is TaskStatus.COMPLETED
        clock.advance(1)
        sweep(storage)
        assert status(storage) is None

    def test_settling_trims_too(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"retention_seconds": 60})
        bring_to(storage, TaskStatus.COMPLETED)
        enqueue(storage, "t2")
        task = claim_one(storage)
        clock.advance(60)
        settle(storage, complete(task))
        assert (status(storage), status(storage, "t2")) == (None, TaskStatus.COMPLETED)

    def test_a_dead_letter_is_kept(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"retention_seconds": 1, "retention_count": 0})
        bring_to(storage, TaskStatus.DEAD)
        clock.advance(1e6)
        sweep(storage)
        assert status(storage) is TaskStatus.DEAD

    def test_no_more_are_kept_than_the_limit_says(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"retention_count": 2})
        for task_id in ("t1", "t2", "t3"):
            bring_to(storage, TaskStatus.COMPLETED, task_id)
            clock.advance(1)
        assert [task.id for task in listed(storage)] == ["t3", "t2"]

    def test_of_those_that_finished_together_the_first_by_id_goes_first(self, storage: Storage) -> None:
        storage.configure(Q, {"retention_count": 2})
        enqueue(storage, *"bdac")
        storage.settle([complete(task) for task in claim(storage)])
        assert [task.id for task in listed(storage)] == ["d", "c"]

    def test_all_kinds_count_together(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"retention_count": 2})
        for state in TRIMMED:
            bring_to(storage, state, str(state))
            clock.advance(1)
        bring_to(storage, TaskStatus.DEAD, "dead")
        sweep(storage)
        assert {task.id for task in listed(storage)} == {"cancelled", "expired", "dead"}

    def test_nothing_is_kept_where_nothing_shall_be(self, storage: Storage) -> None:
        storage.configure(Q, {"retention_count": 0})
        enqueue(storage, "t1")
        assert settle(storage, complete(claim_one(storage)))
        assert listed(storage) == []

    def test_a_shorter_retention_counts_for_what_is_there(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.COMPLETED)
        clock.advance(60)
        storage.configure(Q, {"retention_seconds": 60})
        sweep(storage)
        assert status(storage) is None

    def test_a_forgotten_id_can_be_used_anew(self, storage: Storage) -> None:
        storage.configure(Q, {"retention_count": 0})
        enqueue(storage, "t1")
        settle(storage, complete(claim_one(storage)))
        assert enqueue(storage, "t1") == [True]
        assert claim_ids(storage) == ["t1"]

    def test_a_task_that_was_requeued_in_time_is_not_forgotten(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"retention_seconds": 60})
        bring_to(storage, TaskStatus.CANCELLED)
        clock.advance(30)
        storage.requeue(Q, ["t1"])
        clock.advance(60)
        assert claim_ids(storage) == ["t1"]

    def test_forgetting_is_not_journalled(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.COMPLETED)
        tail = storage.journal_tail(Q)
        clock.advance(3600)
        sweep(storage)
        assert status(storage) is None
        assert storage.journal_tail(Q) == tail

    def test_other_queues_keep_theirs(self, storage: Storage, clock: ManualClock) -> None:
        for queue in ("a", "b"):
            bring_to(storage, TaskStatus.COMPLETED, queue=queue)
        storage.configure("a", {"retention_seconds": 60})
        clock.advance(60)
        sweep(storage, "a")
        sweep(storage, "b")
        assert [status(storage, "t1", queue) for queue in ("a", "b")] == [None, TaskStatus.COMPLETED]
