"""Requeueing: a clean slate, except for the attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import REQUEUABLE, TaskStatus
from distributed_queue.core.storage import StoredTask
from distributed_queue.testing.builders import TYPE, Q, bury, new_task, retry
from distributed_queue.testing.steps import (
    REACHABLE,
    bring_to,
    claim_ids,
    claim_one,
    enqueue,
    settle,
    stats,
    status,
    stored,
    sweep,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestRequeue:
    """``requeue``."""

    @pytest.mark.parametrize("state", sorted(REQUEUABLE), ids=str)
    def test_the_task_is_ready_now(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        bring_to(storage, state)
        clock.advance(1)
        assert storage.requeue(Q, ["t1"]) == [True]
        task = stored(storage)
        assert (task.status, task.due_at, task.finished_at) == (TaskStatus.PENDING, None, None)
        assert claim_ids(storage) == ["t1"]

    @pytest.mark.parametrize("state", [state for state in REACHABLE if state not in REQUEUABLE], ids=str)
    def test_a_task_in_any_other_state_stays_as_it_is(self, storage: Storage, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        assert storage.requeue(Q, ["t1"]) == [False]
        assert stored(storage) == before

    def test_the_slate_is_clean_except_for_the_attempt_and_the_history(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        created = clock.now()
        storage.enqueue([new_task(priority=7, body=b"body", expires_at=created + 500)])
        settle(storage, retry(claim_one(storage), error=b"why"))
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        settle(storage, bury(claim_one(storage), "reason", b"why"))
        history = stored(storage).history
        storage.requeue(Q, ["t1"])
        assert stored(storage) == StoredTask(
            queue=Q,
            id="t1",
            type=TYPE,
            status=TaskStatus.PENDING,
            priority=7,
            body=b"body",
            attempt=3,
            created_at=created,
            started_at=clock.now(),
            history=history,
        )

    def test_a_request_to_stop_is_forgotten(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claimed = claim_one(storage)
        storage.cancel(Q, ["t1"])
        settle(storage, retry(claimed))
        storage.requeue(Q, ["t1"])
        assert not stored(storage).cancel_requested

    def test_an_expired_task_does_not_expire_again(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", expires_at=clock.now() + 5)
        clock.advance(5)
        sweep(storage)
        assert status(storage) is TaskStatus.EXPIRED
        storage.requeue(Q, ["t1"])
        assert stored(storage).expires_at is None
        assert claim_ids(storage) == ["t1"]

    def test_crashes_are_counted_anew(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"max_crashes": 1})
        enqueue(storage, "t1")
        for _ in range(2):
            claim_one(storage, lease_seconds=10)
            clock.advance(10)
            sweep(storage)
            assert stored(storage).crashes == 1
            assert storage.requeue(Q, ["t1"]) == [True]
        assert stored(storage).crashes == 0

    def test_many_are_requeued_in_the_order_named(self, storage: Storage) -> None:
        for task_id in ("t1", "t2", "t3"):
            bring_to(storage, TaskStatus.DEAD, task_id)
        assert storage.requeue(Q, ["t3", "nobody", "t1"]) == [True, False, True]
        assert claim_ids(storage) == ["t3", "t1"]
        assert storage.requeue(Q, []) == []

    @pytest.mark.parametrize("state", sorted(REQUEUABLE), ids=str)
    def test_with_a_delay_a_task_is_scheduled(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        bring_to(storage, state)
        assert storage.requeue(Q, ["t1"], [1.5]) == [True]
        task = stored(storage)
        assert (task.status, task.due_at, task.finished_at) == (TaskStatus.SCHEDULED, clock.now() + 1.5, None)
        assert (task.failures, task.crashes, task.error, task.reason) == (0, 0, None, None)
        clock.advance(1.499)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        assert claim_ids(storage) == ["t1"]

    def test_each_task_has_a_delay_of_its_own(self, storage: Storage, clock: ManualClock) -> None:
        for task_id in ("t1", "t2", "t3"):
            bring_to(storage, TaskStatus.DEAD, task_id)
        assert storage.requeue(Q, ["t1", "t2", "nobody", "t3"], [2.0, 1.0, 0.5, 0.0]) == [True, True, False, True]
        assert claim_ids(storage) == ["t3"]
        clock.advance(1)
        assert claim_ids(storage) == ["t2"]
        clock.advance(1)
        assert claim_ids(storage) == ["t1"]

    def test_a_full_queue_takes_requeued_tasks(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 1})
        bring_to(storage, TaskStatus.DEAD)
        enqueue(storage, "t2")
        assert storage.requeue(Q, ["t1"]) == [True]
        assert stats(storage).depth == 2

    def test_only_the_named_queue_is_concerned(self, storage: Storage) -> None:
        for queue in ("a", "b"):
            bring_to(storage, TaskStatus.DEAD, queue=queue)
        storage.requeue("a", ["t1"])
        assert status(storage, "t1", "b") is TaskStatus.DEAD
