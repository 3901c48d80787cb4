"""Tasks for later: never early, to the millisecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.testing.builders import Q, new_task, request
from distributed_queue.testing.steps import claim_ids, enqueue, events, listed, status, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestDelays:
    """``execute_after`` and ``delay``."""

    def test_a_delay_runs_from_the_moment_of_enqueueing(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        task = stored(storage)
        assert (task.status, task.due_at) == (TaskStatus.SCHEDULED, clock.now() + 5)

    def test_execute_after_is_a_time(self, storage: Storage, clock: ManualClock) -> None:
        storage.enqueue([new_task(execute_after=clock.now() + 5)])
        task = stored(storage)
        assert (task.status, task.due_at) == (TaskStatus.SCHEDULED, clock.now() + 5)

    @pytest.mark.parametrize(("after", "delay"), [(5, 9), (9, 5), (-5, 9), (9, 0)])
    def test_of_both_the_later_counts(self, storage: Storage, clock: ManualClock, after: float, delay: float) -> None:
        storage.enqueue([new_task(execute_after=clock.now() + after, delay=delay)])
        assert stored(storage).due_at == clock.now() + 9

    @pytest.mark.parametrize(("after", "delay"), [(0, None), (-1, None), (None, 0), (-9, 0), (-1_699_999_999, None)])
    def test_what_does_not_lie_ahead_is_ready_at_once(
        self, storage: Storage, clock: ManualClock, after: float | None, delay: float | None
    ) -> None:
        execute_after = None if after is None else clock.now() + after
        storage.enqueue([new_task(execute_after=execute_after, delay=delay)])
        task = stored(storage)
        assert (task.status, task.due_at) == (TaskStatus.PENDING, None)

    @pytest.mark.parametrize("delay", [0.001, 0.25, 1, 86_400, 31_536_000])
    def test_a_delayed_task_is_given_at_its_time_and_not_before(
        self, storage: Storage, clock: ManualClock, delay: float
    ) -> None:
        enqueue(storage, "t1", delay=delay)
        clock.advance(delay - 0.001)
        answer = storage.claim(request())
        assert answer.tasks == []
        assert answer.next_due == pytest.approx(0.001)
        clock.advance(0.001)
        assert claim_ids(storage) == ["t1"]

    def test_a_time_between_two_milliseconds_counts_as_the_later(self, storage: Storage, clock: ManualClock) -> None:
        storage.enqueue([new_task(execute_after=clock.now() + 0.0014)])
        clock.advance(0.001)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        assert claim_ids(storage) == ["t1"]

    def test_a_claim_promotes_what_is_due_even_if_it_takes_nothing(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=1)
        enqueue(storage, "t2", delay=2)
        clock.advance(1)
        sweep(storage)
        assert [(task.id, task.status, task.due_at) for task in listed(storage)] == [
            ("t1", TaskStatus.PENDING, None),
            ("t2", TaskStatus.SCHEDULED, clock.now() + 1),
        ]

    def test_a_task_stays_scheduled_until_a_claim_promotes_it(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=1)
        clock.advance(100)
        assert status(storage) is TaskStatus.SCHEDULED

    def test_promotion_is_journalled_in_the_order_of_running(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "b", "a", delay=2)
        enqueue(storage, "c", delay=1)
        clock.advance(2)
        tail = storage.journal_tail(Q)
        sweep(storage)
        assert events(storage, after=tail) == [("due", task_id) for task_id in ("c", "a", "b")]
