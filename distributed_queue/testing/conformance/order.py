"""The order of running: by priority, then first in, first out; who goes back to an old place and who to the end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import TaskUpdate
from distributed_queue.testing.builders import Q, new_task, release, retry, snooze
from distributed_queue.testing.steps import bring_to, claim_ids, claim_one, enqueue, settle, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestOrder:
    """The order in which tasks are given."""

    def test_the_lower_priority_runs_first(self, storage: Storage) -> None:
        for priority in (100, 0, 1000, 10, 9):
            enqueue(storage, f"p{priority}", priority=priority)
        assert claim_ids(storage) == ["p0", "p9", "p10", "p100", "p1000"]

    def test_within_a_priority_the_first_in_is_the_first_out(self, storage: Storage, clock: ManualClock) -> None:
        ids = ["t3", "t1", "t10", "t2"]
        for task_id in ids:
            enqueue(storage, task_id)
            clock.advance(0.001)
        assert claim_ids(storage) == ids

    def test_tasks_of_the_same_moment_keep_the_order_of_their_batch(self, storage: Storage) -> None:
        enqueue(storage, "b", "a")
        enqueue(storage, "d", "c")
        assert claim_ids(storage) == ["b", "a", "d", "c"]

    def test_many_priorities_come_out_sorted_and_stable(self, storage: Storage) -> None:
        chance = random.Random(7)  # noqa: S311  # any mixture does
        tasks = [new_task(f"t{number}", priority=chance.randrange(10)) for number in range(300)]
        storage.enqueue(tasks)
        in_order = sorted(tasks, key=lambda task: task.priority)
        given: list[str] = []
        while batch := claim_ids(storage, limit=37):
            given += batch
        assert given == [task.id for task in in_order]

    def test_a_later_task_of_lower_priority_overtakes(self, storage: Storage) -> None:
        enqueue(storage, "slow", "slower", priority=500)
        assert claim_ids(storage, limit=1) == ["slow"]
        enqueue(storage, "urgent", priority=1)
        assert claim_ids(storage) == ["urgent", "slower"]

    def test_the_ends_of_the_range_keep_first_in_first_out(self, storage: Storage) -> None:
        for priority in (1000, 0):
            enqueue(storage, *(f"p{priority}-{number}" for number in range(3)), priority=priority)
        assert claim_ids(storage) == [f"p{priority}-{number}" for priority in (0, 1000) for number in range(3)]


class TestPlaceInLine:
    """Where a task stands when it becomes ready again."""

    def test_a_released_task_goes_back_to_its_old_place(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        settle(storage, release(claim_one(storage)))
        assert claim_ids(storage) == ["t1", "t2", "t3"]

    def test_a_task_whose_lease_ran_out_goes_back_to_its_old_place(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2", "t3")
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        assert claim_ids(storage) == ["t1", "t2", "t3"]

    def test_a_retried_task_goes_to_the_end(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        settle(storage, retry(claim_one(storage)))
        assert claim_ids(storage) == ["t2", "t1"]

    def test_a_snoozed_task_goes_to_the_end(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2")
        settle(storage, snooze(claim_one(storage), 1))
        clock.advance(1)
        assert claim_ids(storage) == ["t2", "t1"]

    def test_a_requeued_task_goes_to_the_end(self, storage: Storage) -> None:
        bring_to(storage, TaskStatus.DEAD)
        enqueue(storage, "t2")
        storage.requeue(Q, ["t1"])
        assert claim_ids(storage) == ["t2", "t1"]

    def test_tasks_that_become_due_together_run_by_due_time_then_id(self, storage: Storage, clock: ManualClock) -> None:
        for task_id, delay in (("b", 2), ("late", 3), ("a", 2), ("early", 1), ("B", 2)):
            enqueue(storage, task_id, delay=delay)
        clock.advance(3)
        assert claim_ids(storage) == ["early", "B", "a", "b", "late"]

    def test_a_delayed_task_stands_behind_those_that_were_ready_when_it_was_promoted(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "delayed", delay=1)
        clock.advance(2)
        enqueue(storage, "at-once")
        assert claim_ids(storage) == ["at-once", "delayed"]

    def test_a_promoted_task_stands_before_those_that_come_later(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "delayed", delay=1)
        clock.advance(1)
        sweep(storage)
        enqueue(storage, "later")
        assert claim_ids(storage) == ["delayed", "later"]

    def test_a_delayed_task_overtakes_by_priority_once_it_is_due(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "urgent", delay=1, priority=1)
        enqueue(storage, "t1", "t2")
        assert claim_ids(storage, limit=1) == ["t1"]
        clock.advance(1)
        assert claim_ids(storage) == ["urgent", "t2"]

    def test_a_new_priority_keeps_the_sequence(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        enqueue(storage, "u1", priority=5)
        storage.update(Q, "t2", TaskUpdate(priority=5))
        assert claim_ids(storage) == ["t2", "u1", "t1", "t3"]

    def test_a_priority_changed_and_changed_back_restores_the_place(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        for priority in (900, 100):
            storage.update(Q, "t2", TaskUpdate(priority=priority))
        assert claim_ids(storage) == ["t1", "t2", "t3"]
