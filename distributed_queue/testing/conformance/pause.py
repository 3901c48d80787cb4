"""Pausing: nothing is claimed; all else goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import LeaseState
from distributed_queue.testing.builders import Q, complete, lease_of, request
from distributed_queue.testing.steps import claim_ids, claim_one, enqueue, events, settle, stats, status, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestPause:
    """``pause`` and ``resume``."""

    def test_nothing_is_claimed_until_the_queue_is_resumed(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        storage.pause(Q)
        assert claim_ids(storage) == []
        storage.resume(Q)
        assert claim_ids(storage) == ["t1", "t2"]

    def test_the_pause_holds_for_every_client(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.pause(Q)
        assert claim_ids(second_storage) == []
        second_storage.resume(Q)
        assert claim_ids(storage) == ["t1"]

    def test_it_shows_in_the_settings(self, storage: Storage) -> None:
        storage.pause(Q)
        assert stats(storage).config.paused
        storage.resume(Q)
        assert not stats(storage).config.paused

    def test_a_queue_can_be_paused_before_its_first_task(self, storage: Storage) -> None:
        storage.pause("new")
        enqueue(storage, "t1", queue="new")
        assert claim_ids(storage, "new") == []

    def test_it_is_the_same_as_the_setting(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.configure(Q, {"paused": True})
        assert claim_ids(storage) == []
        storage.resume(Q)
        assert claim_ids(storage) == ["t1"]

    def test_other_queues_are_not_held_up(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t2", queue="b")
        storage.pause("a")
        assert claim_ids(storage, "a", "b") == ["t2"]

    def test_tasks_are_accepted(self, storage: Storage) -> None:
        storage.pause(Q)
        assert enqueue(storage, "t1") == [True]
        assert status(storage) is TaskStatus.PENDING

    def test_running_tasks_go_on_and_settle(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        storage.pause(Q)
        assert storage.extend([lease_of(task)], 60) == [LeaseState.HELD]
        assert settle(storage, complete(task))

    def test_leases_run_out_and_tasks_become_due_and_expire(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "lost")
        claim_one(storage, lease_seconds=10)
        enqueue(storage, "due", delay=10)
        enqueue(storage, "old", expires_at=clock.now() + 10)
        storage.pause(Q)
        clock.advance(10)
        sweep(storage)
        assert stored(storage, "lost").crashes == 1
        assert [status(storage, task_id) for task_id in ("lost", "due")] == [TaskStatus.PENDING] * 2
        assert status(storage, "old") is TaskStatus.EXPIRED

    def test_a_task_becomes_due_also_where_another_queue_is_asked_first(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "other", queue="first")
        enqueue(storage, "due", delay=10)
        storage.pause(Q)
        clock.advance(10)
        assert claim_ids(storage, "first", Q, limit=1) == ["other"]
        assert status(storage, "due") is TaskStatus.PENDING

    def test_nothing_is_foreseen_for_tasks_that_cannot_be_claimed(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        enqueue(storage, "t2", delay=5)
        storage.pause(Q)
        assert storage.claim(request()).next_due is None

    def test_pausing_and_resuming_are_journalled_once(self, storage: Storage) -> None:
        for step in (storage.pause, storage.pause, storage.resume, storage.resume):
            step(Q)
        assert events(storage) == [("paused", ""), ("resumed", "")]
