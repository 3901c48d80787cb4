"""Failed attempts that are tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.testing.builders import Q, bury, complete, retry
from distributed_queue.testing.steps import claim_ids, claim_one, enqueue, settle, stats, status, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


class TestRetry:
    """Outcome ``retry``."""

    def test_the_task_waits_for_its_delay(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), delay=5, error=b"why"))
        task = stored(storage)
        assert (task.status, task.due_at, task.error) == (TaskStatus.RETRYING, clock.now() + 5, b"why")
        assert (task.failures, task.finished_at, task.reason) == (1, None, None)

    @pytest.mark.parametrize("delay", [0.001, 2, 600])
    def test_it_is_given_again_at_its_time_and_not_before(
        self, storage: Storage, clock: ManualClock, delay: float
    ) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), delay=delay))
        clock.advance(delay - 0.001)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        task = claim_one(storage)
        assert (task.attempt, task.failures) == (2, 1)

    def test_without_a_delay_it_is_due_at_the_next_claim(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage)))
        task = stored(storage)
        assert (task.status, task.due_at) == (TaskStatus.RETRYING, clock.now())
        assert claim_ids(storage) == ["t1"]

    def test_failures_add_up_over_attempts(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        for failures in range(1, 6):
            settle(storage, retry(claim_one(storage), error=b"%d" % failures))
            task = stored(storage)
            assert (task.failures, task.attempt, task.error) == (failures, failures, b"%d" % failures)

    def test_the_error_stays_while_the_next_attempt_runs(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), error=b"why"))
        claim_one(storage)
        assert stored(storage).error == b"why"

    def test_a_failure_without_an_error_forgets_the_one_before(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), error=b"why"))
        settle(storage, retry(claim_one(storage)))
        assert stored(storage).error is None

    def test_burying_after_a_retry_counts_both(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), error=b"first"))
        settle(storage, bury(claim_one(storage), error=b"last"))
        task = stored(storage)
        assert (task.status, task.failures, task.error) == (TaskStatus.DEAD, 2, b"last")

    def test_a_retrying_task_still_has_to_run(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), delay=5))
        assert stats(storage).depth == 1
        clock.advance(5)
        sweep(storage)
        assert (status(storage), stats(storage).depth) == (TaskStatus.PENDING, 1)

    def test_success_in_a_later_attempt_is_success(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), error=b"why"))
        settle(storage, complete(claim_one(storage), b"done"))
        task = stored(storage)
        assert (task.status, task.result, task.error) == (TaskStatus.COMPLETED, b"done", None)
        assert stats(storage, Q).depth == 0
