"""Figures of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import DUE_LIMIT, QueueConfig, TaskFilter, TaskUpdate
from distributed_queue.testing.builders import Q, new_task, release, retry
from distributed_queue.testing.steps import (
    REACHABLE,
    bring_to,
    claim_one,
    enqueue,
    listed,
    settle,
    stats,
    status,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import ClaimedTask, Settlement, Storage

WAITING = {TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING}


class TestStats:
    """``stats`` and ``queues``."""

    def test_a_storage_without_queues_has_no_figures(self, storage: Storage) -> None:
        assert storage.stats() == []
        assert storage.queues() == ()

    def test_every_state_has_its_count(self, storage: Storage) -> None:
        storage.configure(Q, {})
        assert stats(storage).counts == dict.fromkeys(TaskStatus, 0)

    @pytest.mark.parametrize("state", REACHABLE, ids=str)
    def test_a_task_is_counted_in_its_state(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state)
        assert stats(storage).counts == {each: int(each is state) for each in TaskStatus}

    @pytest.mark.parametrize("state", REACHABLE, ids=str)
    def test_the_depth_is_what_has_still_to_run(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state)
        assert stats(storage).depth == (1 if state in WAITING else 0)

    def test_all_queues_come_sorted_by_name(self, storage: Storage) -> None:
        for queue in ("b", "a", "C"):
            enqueue(storage, "t1", queue=queue)
        assert [figures.queue for figures in storage.stats()] == ["C", "a", "b"]
        assert storage.queues() == ("C", "a", "b")

    def test_some_queues_can_be_asked_for(self, storage: Storage) -> None:
        for queue in ("a", "b", "c"):
            enqueue(storage, "t1", queue=queue)
        assert [figures.queue for figures in storage.stats(["c", "nobody", "a"])] == ["a", "c"]
        assert storage.stats([]) == []

    def test_looking_makes_no_queue(self, storage: Storage) -> None:
        storage.stats(["nobody"])
        storage.get(["t1"], "nobody")
        storage.journal("nobody", 0, 10)
        storage.journal_tail("nobody")
        assert storage.queues() == ()

    def test_a_queue_without_settings_has_the_default_ones(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        assert stats(storage).config == QueueConfig()

    def test_settings_come_with_the_figures(self, storage: Storage) -> None:
        config = storage.configure(Q, {"max_size": 7, "rate_limit": 2.5})
        assert stats(storage).config == config

    def test_an_emptied_queue_is_still_a_queue(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.delete(Q, ["t1"])
        assert storage.queues() == (Q,)
        assert stats(storage).depth == 0


class TestDue:
    """``stats``: what is due counts as pending, whether or not a claim has promoted it."""

    @pytest.mark.parametrize("state", [TaskStatus.SCHEDULED, TaskStatus.RETRYING], ids=str)
    def test_what_is_due_counts_as_pending_from_its_millisecond_on(
        self, storage: Storage, clock: ManualClock, state: TaskStatus
    ) -> None:
        bring_to(storage, state)
        (task,) = listed(storage)
        assert task.due_at is not None
        clock.advance(task.due_at - clock.now() - 0.001)
        assert stats(storage).counts[state] == 1
        assert stats(storage).due == {}
        clock.advance(0.001)
        figures = stats(storage)
        assert figures.counts == {each: int(each is TaskStatus.PENDING) for each in TaskStatus}
        assert figures.due == {state: 1}
        assert figures.depth == 1

    def test_looking_changes_nothing(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=1)
        clock.advance(1)
        tail = storage.journal_tail(Q)
        stats(storage)
        assert status(storage) is TaskStatus.SCHEDULED
        assert storage.journal_tail(Q) == tail

    def test_what_lists_show_can_be_told_too(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2", delay=1)
        enqueue(storage, "t3")
        enqueue(storage, "t4", delay=2)
        clock.advance(1)
        figures = stats(storage)
        assert {state: figures.listed(state) for state in WAITING} == {
            state: len(listed(storage, TaskFilter(Q, state))) for state in WAITING
        }
        assert figures.counts[TaskStatus.PENDING] == 3

    def test_promoting_changes_no_figure(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=1)
        enqueue(storage, "t2", delay=3)
        clock.advance(2)
        before = stats(storage)
        sweep(storage)
        after = stats(storage)
        assert (after.counts, after.oldest_ready_age) == (before.counts, before.oldest_ready_age)
        assert after.due == {}

    def test_what_is_due_in_a_paused_queue_waits_too(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=1)
        storage.pause(Q)
        clock.advance(1)
        assert stats(storage).counts[TaskStatus.PENDING] == 1

    def test_a_task_put_off_again_is_due_once(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        for execute_after in (clock.now() + 9, clock.now() + 5):
            storage.update(Q, "t1", TaskUpdate(execute_after=execute_after))
        clock.advance(5)
        assert stats(storage).due == {TaskStatus.SCHEDULED: 1}

    def test_of_more_than_it_looks_for_it_finds_that_many(self, storage: Storage, clock: ManualClock) -> None:
        storage.enqueue([new_task(f"t{number}", delay=1) for number in range(DUE_LIMIT + 5)])
        clock.advance(1)
        figures = stats(storage)
        assert DUE_LIMIT <= figures.counts[TaskStatus.PENDING] <= DUE_LIMIT + 5
        assert figures.depth == DUE_LIMIT + 5


class TestAge:
    """``stats``: for how long the head of the line has been ready."""

    def test_without_ready_tasks_there_is_no_age(self, storage: Storage) -> None:
        enqueue(storage, "t1", delay=1)
        enqueue(storage, "t2")
        claim_one(storage)
        assert stats(storage).oldest_ready_age is None

    def test_it_runs_from_enqueueing(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        assert stats(storage).oldest_ready_age == 0
        clock.advance(1.5)
        enqueue(storage, "t2")
        assert stats(storage).oldest_ready_age == 1.5

    def test_it_is_that_of_the_task_which_is_next(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        clock.advance(5)
        enqueue(storage, "urgent", priority=1)
        clock.advance(1)
        assert stats(storage).oldest_ready_age == 1
        storage.update(Q, "urgent", TaskUpdate(priority=900))
        assert stats(storage).oldest_ready_age == 6

    def test_a_delayed_task_is_ready_since_its_due_time(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        clock.advance(7)
        assert stats(storage).oldest_ready_age == 2
        sweep(storage)
        assert stats(storage).oldest_ready_age == 2

    def test_where_something_has_been_due_for_longer_it_is_that(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        enqueue(storage, "t2", delay=6)
        clock.advance(7)
        enqueue(storage, "fresh")
        assert stats(storage).oldest_ready_age == 2

    @pytest.mark.parametrize("ending", [release, retry], ids=["released", "retried"])
    def test_a_task_given_back_is_ready_since_then(
        self, storage: Storage, clock: ManualClock, ending: Callable[[ClaimedTask], Settlement]
    ) -> None:
        enqueue(storage, "t1")
        clock.advance(5)
        task = claim_one(storage)
        clock.advance(5)
        settle(storage, ending(task))
        clock.advance(1)
        sweep(storage)
        assert stats(storage).oldest_ready_age == 1

    def test_a_task_taken_back_is_ready_since_then(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        clock.advance(15)
        sweep(storage)
        clock.advance(1)
        assert stats(storage).oldest_ready_age == 1

    def test_a_requeued_task_is_ready_since_then(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.DEAD)
        clock.advance(5)
        storage.requeue(Q, ["t1"])
        clock.advance(1)
        assert stats(storage).oldest_ready_age == 1
