"""Forgetting tasks, one by one or a whole queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import LeaseState
from distributed_queue.testing.builders import Q, complete, lease_of
from distributed_queue.testing.steps import (
    FAR_SECONDS,
    REACHABLE,
    bring_to,
    claim_ids,
    claim_one,
    counter,
    enqueue,
    events,
    settle,
    stats,
    status,
    stored,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

DELETABLE = [state for state in REACHABLE if state is not TaskStatus.PROCESSING]


class TestDelete:
    """``delete``."""

    @pytest.mark.parametrize("state", DELETABLE, ids=str)
    def test_a_task_that_does_not_run_is_forgotten(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state)
        assert storage.delete(Q, ["t1"]) == [True]
        assert storage.get(["t1"], Q) == [None]
        assert set(stats(storage).counts.values()) == {0}

    @pytest.mark.parametrize("state", DELETABLE, ids=str)
    def test_a_forgotten_task_never_runs(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        bring_to(storage, state)
        storage.delete(Q, ["t1"])
        clock.advance(2 * FAR_SECONDS)
        assert claim_ids(storage) == []

    def test_a_running_task_stays(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        assert storage.delete(Q, ["t1"]) == [False]
        assert settle(storage, complete(task))

    def test_each_is_answered_for_itself(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        assert storage.delete(Q, ["t2", "nobody", "t1"]) == [True, False, True]
        assert storage.delete(Q, []) == []

    def test_only_the_named_queue_is_concerned(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t1", queue="b")
        storage.delete("a", ["t1"])
        assert (status(storage, "t1", "a"), status(storage, "t1", "b")) == (None, TaskStatus.PENDING)

    def test_the_others_keep_their_order(self, storage: Storage) -> None:
        enqueue(storage, *"abcde")
        storage.delete(Q, ["a", "c"])
        assert claim_ids(storage) == ["b", "d", "e"]

    def test_an_id_used_anew_is_a_new_task(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", priority=1, delay=50)
        storage.delete(Q, ["t1"])
        enqueue(storage, "t1", "t2")
        assert claim_ids(storage) == ["t1", "t2"]
        clock.advance(20)
        task = stored(storage)
        assert (task.priority, task.attempt, task.status) == (100, 1, TaskStatus.PROCESSING)


class TestClear:
    """``clear``."""

    def test_all_tasks_are_forgotten_and_counted(self, storage: Storage) -> None:
        for state in REACHABLE:
            if state is not TaskStatus.PENDING:
                bring_to(storage, state, f"in {state}".replace(" ", "-"))
        bring_to(storage, TaskStatus.PENDING, "last")
        assert storage.clear(Q) == len(REACHABLE)
        assert storage.clear(Q) == 0
        assert set(stats(storage).counts.values()) == {0}
        assert claim_ids(storage) == []

    def test_leases_are_lost(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        storage.clear(Q)
        assert storage.extend([lease_of(task)], 10) == [LeaseState.LOST]
        assert not settle(storage, complete(task))

    def test_settings_counters_and_journal_stay(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 10})
        enqueue(storage, "t1")
        storage.clear(Q)
        assert stats(storage).config.max_size == 10
        assert counter(storage, "enqueued|mail") == 1
        assert events(storage) == [("configured", ""), ("enqueued", "t1"), ("cleared", "")]

    def test_other_queues_stay(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t2", queue="b")
        storage.clear("a")
        assert claim_ids(storage, "a", "b") == ["t2"]
        assert storage.queues() == ("a", "b")

    def test_the_queue_works_on(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        claim_one(storage)
        storage.clear(Q)
        enqueue(storage, "t2", "t1")
        assert claim_ids(storage) == ["t2", "t1"]

    def test_a_queue_of_thousands_is_cleared_whole(self, storage: Storage) -> None:
        enqueue(storage, *(f"t{number}" for number in range(2500)))
        assert storage.clear(Q) == 2500
        assert stats(storage).depth == 0

    def test_an_empty_queue_has_nothing_to_journal(self, storage: Storage) -> None:
        storage.configure(Q, {})
        assert storage.clear(Q) == 0
        assert events(storage) == []
