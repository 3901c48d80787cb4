"""How attempts end: each outcome and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Claim, Outcome, Settlement
from distributed_queue.testing.builders import (
    Q,
    bury,
    complete,
    of_attempt,
    release,
    request,
    retry,
    settlement,
    snooze,
    stop,
)
from distributed_queue.testing.steps import claim, claim_ids, claim_one, enqueue, settle, status, stored

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import ClaimedTask, Storage

LEFT_IN = {
    Outcome.COMPLETE: TaskStatus.COMPLETED,
    Outcome.RETRY: TaskStatus.RETRYING,
    Outcome.BURY: TaskStatus.DEAD,
    Outcome.RELEASE: TaskStatus.PENDING,
    Outcome.SNOOZE: TaskStatus.SCHEDULED,
    Outcome.CANCEL: TaskStatus.CANCELLED,
}
FAILURES = {Outcome.RETRY: 1, Outcome.BURY: 1}


class TestSettle:
    """``settle``: what holds of every outcome."""

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_an_outcome_that_counts_ends_the_lease(
        self, storage: Storage, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        assert storage.settle([settlement(claimed, outcome, delay=5)]) == [True]
        task = stored(storage)
        assert task.status is LEFT_IN[outcome]
        assert (task.worker_id, task.lease_expires_at, task.cancel_requested) == (None, None, False)
        assert task.attempt == 1

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_only_failures_count_as_failures(self, storage: Storage, claimed: ClaimedTask, outcome: Outcome) -> None:
        settle(storage, settlement(claimed, outcome))
        task = stored(storage)
        assert (task.failures, task.crashes) == (FAILURES.get(outcome, 0), 0)

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_a_finished_task_knows_when_it_finished(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        clock.advance(3)
        settle(storage, settlement(claimed, outcome, delay=5))
        task = stored(storage)
        assert task.started_at == clock.now() - 3
        assert task.finished_at == (clock.now() if task.status.finished else None)

    @pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY, Outcome.CANCEL], ids=str)
    def test_a_task_that_ended_is_not_given_again_by_itself(
        self, storage: Storage, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        settle(storage, settlement(claimed, outcome, delay=5))
        assert claim_ids(storage) == []

    def test_many_attempts_settle_in_one_step(self, storage: Storage) -> None:
        enqueue(storage, *"abcdef")
        a, b, c, d, e, f = claim(storage)
        settlements = [complete(a), retry(b, 5), bury(c), release(d), snooze(e, 5), stop(f)]
        assert storage.settle(settlements) == [True] * 6
        assert [status(storage, task_id) for task_id in "abcdef"] == [LEFT_IN[each.outcome] for each in settlements]

    def test_each_settlement_is_answered_for_itself(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        first, second = claim(storage)
        stale = Settlement(Q, first.id, 9, Outcome.COMPLETE)
        assert storage.settle([stale, complete(second), complete(first)]) == [False, True, True]

    def test_attempts_of_several_queues_settle_in_one_call(self, storage: Storage) -> None:
        for queue in ("a", "b", "c"):
            enqueue(storage, "t1", queue=queue)
        tasks = claim(storage, "a", "b", "c")
        assert storage.settle([complete(task) for task in reversed(tasks)]) == [True] * 3
        assert [status(storage, "t1", queue) for queue in ("a", "b", "c")] == [TaskStatus.COMPLETED] * 3

    def test_nothing_settles_in_an_empty_call(self, storage: Storage) -> None:
        assert storage.settle([]) == []

    def test_an_unknown_task_does_not_count(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        assert storage.settle([Settlement(Q, "nobody", 1, Outcome.COMPLETE)]) == [False]

    def test_a_second_client_may_settle(self, storage: Storage, second_storage: Storage, claimed: ClaimedTask) -> None:
        assert settle(second_storage, complete(claimed, b"r"))
        assert stored(storage).result == b"r"


class TestOutcomes:
    """``settle``: what each outcome leaves."""

    @pytest.mark.parametrize(
        "result", [None, b"", b"\x00\xff", b"r" * (1 << 20)], ids=["none", "empty", "raw", "large"]
    )
    def test_complete_keeps_the_result(self, storage: Storage, claimed: ClaimedTask, result: bytes | None) -> None:
        settle(storage, complete(claimed, result))
        assert stored(storage).result == result

    def test_complete_clears_the_error_of_an_earlier_attempt(self, storage: Storage, claimed: ClaimedTask) -> None:
        settle(storage, retry(claimed, error=b"why"))
        settle(storage, complete(claim_one(storage)))
        task = stored(storage)
        assert (task.error, task.failures, task.attempt) == (None, 1, 2)

    @pytest.mark.parametrize("reason", [None, "timeout", "grün"])
    def test_bury_keeps_error_and_reason(self, storage: Storage, claimed: ClaimedTask, reason: str | None) -> None:
        settle(storage, bury(claimed, reason, b"why"))
        task = stored(storage)
        assert (task.error, task.reason) == (b"why", reason or "failed")

    def test_release_lets_the_task_be_claimed_at_once(self, storage: Storage, claimed: ClaimedTask) -> None:
        settle(storage, release(claimed))
        assert stored(storage).due_at is None
        assert claim_one(storage).attempt == 2

    def test_snooze_lets_the_task_be_claimed_after_the_delay(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask
    ) -> None:
        settle(storage, snooze(claimed, 5))
        assert stored(storage).due_at == clock.now() + 5
        clock.advance(4.999)
        assert claim_ids(storage) == []
        clock.advance(0.001)
        task = claim_one(storage)
        assert (task.attempt, task.failures, task.crashes) == (2, 0, 0)

    def test_snooze_keeps_the_error_of_an_earlier_attempt(self, storage: Storage, claimed: ClaimedTask) -> None:
        settle(storage, retry(claimed, error=b"why"))
        settle(storage, snooze(claim_one(storage), 5))
        assert stored(storage).error == b"why"

    def test_cancel_stops_a_task_even_if_nobody_asked(self, storage: Storage, claimed: ClaimedTask) -> None:
        assert settle(storage, stop(claimed))
        assert status(storage) is TaskStatus.CANCELLED


class TestExchange:
    """``exchange``: settle, then claim, in one step."""

    def test_settles_and_claims(self, storage: Storage, claimed: ClaimedTask) -> None:
        enqueue(storage, "t2")
        answer = storage.exchange([complete(claimed)], request())
        assert answer.settled == [True]
        assert [task.id for task in answer.claim.tasks] == ["t2"]
        assert status(storage) is TaskStatus.COMPLETED

    def test_claims_without_anything_to_settle(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        answer = storage.exchange([], request())
        assert (answer.settled, [task.id for task in answer.claim.tasks]) == ([], ["t1"])

    def test_settles_without_a_claim(self, storage: Storage, claimed: ClaimedTask) -> None:
        enqueue(storage, "t2")
        answer = storage.exchange([complete(claimed)], None)
        assert (answer.settled, answer.claim) == ([True], Claim([], None))
        assert status(storage, "t2") is TaskStatus.PENDING

    def test_a_released_task_can_be_claimed_by_the_same_exchange(self, storage: Storage, claimed: ClaimedTask) -> None:
        answer = storage.exchange([release(claimed)], request())
        assert [(task.id, task.attempt) for task in answer.claim.tasks] == [("t1", 2)]

    def test_a_task_retried_or_snoozed_without_delay_can_be_claimed_by_the_same_exchange(
        self, storage: Storage, claimed: ClaimedTask
    ) -> None:
        for again, attempt in ((retry(claimed), 2), (snooze(of_attempt(claimed, 2), 0), 3)):
            answer = storage.exchange([again], request())
            assert [(task.id, task.attempt) for task in answer.claim.tasks] == [("t1", attempt)]

    def test_what_settling_leaves_is_foreseen(self, storage: Storage, claimed: ClaimedTask) -> None:
        assert storage.exchange([snooze(claimed, 5)], request()).claim.next_due == pytest.approx(5)
        enqueue(storage, "t2")
        task = claim_one(storage)
        storage.delete(Q, ["t1"])
        assert storage.exchange([complete(task)], request()).claim.next_due is None

    def test_the_room_that_settling_makes_is_claimed_at_once(self, storage: Storage, claimed: ClaimedTask) -> None:
        storage.configure(Q, {"concurrency": 1})
        enqueue(storage, "t2")
        assert claim_ids(storage) == []
        answer = storage.exchange([complete(claimed)], request())
        assert [task.id for task in answer.claim.tasks] == ["t2"]

    def test_a_failed_settlement_does_not_hinder_the_claim(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        answer = storage.exchange([Settlement(Q, "t1", 7, Outcome.COMPLETE)], request())
        assert (answer.settled, [task.id for task in answer.claim.tasks]) == ([False], ["t1"])

    def test_settles_in_one_queue_and_claims_from_another(self, storage: Storage, claimed: ClaimedTask) -> None:
        enqueue(storage, "t2", queue="other")
        answer = storage.exchange([complete(claimed)], request("other"))
        assert (answer.settled, [task.id for task in answer.claim.tasks]) == ([True], ["t2"])

    def test_an_attempt_that_ran_out_still_counts_if_settled_before_the_claim_takes_it_back(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask
    ) -> None:
        clock.advance(100)
        answer = storage.exchange([complete(claimed)], request())
        assert (answer.settled, answer.claim.tasks) == ([True], [])
        assert stored(storage).crashes == 0
