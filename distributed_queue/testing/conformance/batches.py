"""Batches as large as a face accepts, ten thousand at once: no verb has a hidden limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import SWEEP_LIMIT, LeaseState
from distributed_queue.testing.builders import Q, bury, complete, lease_of
from distributed_queue.testing.steps import claim, claim_ids, enqueue, listed, stats, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

COUNT = 10_000
IDS = [f"t{number:05}" for number in range(COUNT)]


class TestBatches:
    """Ten thousand tasks in one call."""

    def test_a_large_batch_is_enqueued_and_read(self, storage: Storage) -> None:
        assert enqueue(storage, *IDS) == [True] * COUNT
        assert enqueue(storage, *IDS) == [False] * COUNT
        assert [task and task.id for task in storage.get(IDS, Q)] == IDS
        assert [task and task.id for task in storage.get(IDS)] == IDS
        assert [task.id for task in listed(storage, limit=COUNT)] == IDS

    def test_a_large_batch_is_claimed_extended_and_settled(self, storage: Storage) -> None:
        enqueue(storage, *IDS)
        tasks = claim(storage, limit=COUNT)
        assert [task.id for task in tasks] == IDS
        assert storage.extend([lease_of(task) for task in tasks], 60) == [LeaseState.HELD] * COUNT
        assert storage.settle([complete(task, b"r") for task in tasks]) == [True] * COUNT
        assert stats(storage).counts[TaskStatus.COMPLETED] == COUNT

    def test_a_large_batch_is_buried_requeued_cancelled_and_deleted(self, storage: Storage) -> None:
        enqueue(storage, *IDS)
        storage.settle([bury(task) for task in claim(storage, limit=COUNT)])
        assert storage.requeue(Q, IDS) == [True] * COUNT
        assert [task and task.status for task in storage.cancel(Q, IDS)] == [TaskStatus.CANCELLED] * COUNT
        assert storage.delete(Q, IDS) == [True] * COUNT
        assert listed(storage) == []

    def test_a_large_step_is_one_entry_of_the_journal(self, storage: Storage) -> None:
        enqueue(storage, *IDS)
        (entry,) = storage.journal(Q, 0, 10)
        assert [change.task_id for change in entry.changes] == IDS


class TestSweepLimit:
    """What one claim does by the way is bounded."""

    @pytest.fixture
    def names(self) -> list[str]:
        """Two more than are swept at once."""
        return IDS[: SWEEP_LIMIT + 2]

    def test_leases_are_taken_back(self, storage: Storage, clock: ManualClock, names: list[str]) -> None:
        enqueue(storage, *names)
        claim(storage, limit=COUNT, lease_seconds=10)
        clock.advance(10)
        self._sweeps(storage, TaskStatus.PROCESSING, names)
        assert stats(storage).counts[TaskStatus.PENDING] == len(names)

    def test_delayed_tasks_are_promoted(self, storage: Storage, clock: ManualClock, names: list[str]) -> None:
        enqueue(storage, *reversed(names), delay=1)
        clock.advance(1)
        self._sweeps(storage, TaskStatus.SCHEDULED, names)
        assert claim_ids(storage, limit=COUNT) == names

    def test_tasks_expire(self, storage: Storage, clock: ManualClock, names: list[str]) -> None:
        enqueue(storage, *reversed(names), expires_at=clock.now() + 1)
        clock.advance(1)
        self._sweeps(storage, TaskStatus.PENDING, names)
        assert stats(storage).counts[TaskStatus.EXPIRED] == len(names)

    def test_finished_tasks_are_forgotten(self, storage: Storage, clock: ManualClock, names: list[str]) -> None:
        enqueue(storage, *reversed(names))
        storage.settle([complete(task) for task in claim(storage, limit=COUNT)])
        clock.advance(3600)
        self._sweeps(storage, TaskStatus.COMPLETED, names)
        assert listed(storage) == []

    @staticmethod
    def _sweeps(storage: Storage, state: TaskStatus, names: list[str]) -> None:
        """The first leaves the last two in the state, the second none."""
        sweep(storage)
        assert sorted(task.id for task in listed(storage) if task.status is state) == names[SWEEP_LIMIT:]
        sweep(storage)
        assert stats(storage).counts[state] == 0
