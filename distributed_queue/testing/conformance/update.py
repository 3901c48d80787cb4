"""Changing a stored task: all of the changes, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import FINISHED, TaskStatus
from distributed_queue.core.storage import TaskUpdate
from distributed_queue.testing.builders import Q
from distributed_queue.testing.steps import bring_to, claim_ids, claim_one, enqueue, events, status, stored

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

WAITING = [TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING]
DELAYED = [TaskStatus.SCHEDULED, TaskStatus.RETRYING]
NOT_WAITING = [TaskStatus.PROCESSING, *sorted(FINISHED)]


class TestUpdate:
    """``update``."""

    @pytest.mark.parametrize("state", WAITING, ids=str)
    def test_priority_and_body_of_a_waiting_task_change(self, storage: Storage, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        assert storage.update(Q, "t1", TaskUpdate(priority=3, body=b"new"))
        task = stored(storage)
        assert (task.priority, task.body) == (3, b"new")
        assert (task.status, task.due_at, task.failures) == (before.status, before.due_at, before.failures)

    @pytest.mark.parametrize("state", NOT_WAITING, ids=str)
    @pytest.mark.parametrize("change", [TaskUpdate(priority=3), TaskUpdate(body=b"new")], ids=["priority", "body"])
    def test_those_of_any_other_task_do_not(self, storage: Storage, state: TaskStatus, change: TaskUpdate) -> None:
        before = bring_to(storage, state)
        assert not storage.update(Q, "t1", change)
        assert stored(storage) == before

    @pytest.mark.parametrize("state", DELAYED, ids=str)
    @pytest.mark.parametrize("delay", [1, 5000])
    def test_a_delayed_task_can_be_moved_in_time(
        self, storage: Storage, clock: ManualClock, state: TaskStatus, delay: float
    ) -> None:
        bring_to(storage, state)
        assert storage.update(Q, "t1", TaskUpdate(execute_after=clock.now() + delay))
        assert (status(storage), stored(storage).due_at) == (state, clock.now() + delay)
        clock.advance(delay - 0.001)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        assert claim_ids(storage) == ["t1"]

    def test_a_task_moved_into_the_past_is_due_at_the_next_claim(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.SCHEDULED)
        assert storage.update(Q, "t1", TaskUpdate(execute_after=clock.now() - 5))
        assert status(storage) is TaskStatus.SCHEDULED
        assert claim_ids(storage) == ["t1"]

    @pytest.mark.parametrize("state", [TaskStatus.PENDING, *NOT_WAITING], ids=str)
    def test_no_other_task_can_be_moved_in_time(self, storage: Storage, clock: ManualClock, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        assert not storage.update(Q, "t1", TaskUpdate(execute_after=clock.now() + 5))
        assert stored(storage) == before

    def test_a_new_priority_counts_when_the_delayed_task_is_due(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2", delay=1)
        storage.update(Q, "t2", TaskUpdate(priority=1))
        clock.advance(1)
        assert claim_ids(storage) == ["t2", "t1"]

    def test_a_running_attempt_reports_its_progress(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        attempt = claim_one(storage).attempt
        for progress in (b"half", b"", b"nearly"):
            assert storage.update(Q, "t1", TaskUpdate(progress=progress, attempt=attempt))
            assert stored(storage).progress == progress

    def test_progress_needs_the_attempt(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        claim_one(storage)
        assert not storage.update(Q, "t1", TaskUpdate(progress=b"half"))
        assert stored(storage).progress is None

    @pytest.mark.parametrize("state", [*WAITING, *sorted(FINISHED)], ids=str)
    def test_only_a_running_task_has_progress_to_report(self, storage: Storage, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        assert not storage.update(Q, "t1", TaskUpdate(progress=b"half", attempt=before.attempt))
        assert stored(storage) == before

    def test_an_attempt_that_does_not_fit_changes_nothing(self, storage: Storage) -> None:
        before = bring_to(storage, TaskStatus.RETRYING)
        assert not storage.update(Q, "t1", TaskUpdate(priority=3, attempt=before.attempt + 1))
        assert stored(storage) == before
        assert storage.update(Q, "t1", TaskUpdate(priority=3, attempt=before.attempt))

    def test_of_changes_that_do_not_all_fit_none_is_made(self, storage: Storage, clock: ManualClock) -> None:
        before = bring_to(storage, TaskStatus.PENDING)
        assert not storage.update(Q, "t1", TaskUpdate(priority=3, body=b"new", execute_after=clock.now() + 5))
        assert stored(storage) == before

    def test_all_changes_are_made_in_one_step(self, storage: Storage, clock: ManualClock) -> None:
        bring_to(storage, TaskStatus.SCHEDULED)
        tail = storage.journal_tail(Q)
        due = clock.now() + 5
        assert storage.update(Q, "t1", TaskUpdate(priority=3, body=b"new", execute_after=due))
        task = stored(storage)
        assert (task.priority, task.body, task.due_at) == (3, b"new", due)
        assert events(storage, after=tail) == [("updated", "t1")]
        assert storage.journal_tail(Q) == tail + 1

    def test_an_unknown_task_is_not_updated(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        assert not storage.update("b", "t1", TaskUpdate(priority=3))
        assert stored(storage, "t1", "a").priority == 100
