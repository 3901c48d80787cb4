"""The same request again, as a client sends it when a reply was lost: answered as before, nothing done twice."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import HISTORY_LIMIT, Outcome
from distributed_queue.testing.builders import LEASE, Q, bury, complete, release, request, retry, settlement
from distributed_queue.testing.steps import bring_to, claim_one, counter, enqueue, settle, stats, status, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import ClaimedTask, Storage


_GO_ON = (Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE)
_CANCELLABLE = (*_GO_ON, Outcome.CANCEL)


class TestReplays:
    """Verbs called twice with the same values."""

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_a_repeated_settlement_is_answered_as_the_first_was(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        again = settlement(claimed, outcome, result=b"r", error=b"e", delay=60, reason="why")
        assert storage.settle([again]) == [True]
        task, figures, tail = stored(storage), stats(storage), storage.journal_tail(Q)
        clock.advance(1)
        assert storage.settle([again]) == [True]
        assert stored(storage) == task
        assert stats(storage).counters == figures.counters
        assert storage.journal_tail(Q) == tail

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_a_settlement_twice_in_one_call_is_applied_once(
        self, storage: Storage, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        twice = [settlement(claimed, outcome, delay=60)] * 2
        assert storage.settle(twice) == [True, True]
        assert stored(storage).failures == (1 if outcome in (Outcome.RETRY, Outcome.BURY) else 0)

    @pytest.mark.parametrize("first", Outcome, ids=str)
    def test_a_different_settlement_is_no_replay(self, storage: Storage, claimed: ClaimedTask, first: Outcome) -> None:
        settle(storage, settlement(claimed, first, delay=60))
        before = stored(storage)
        other = Outcome.BURY if first is Outcome.COMPLETE else Outcome.COMPLETE
        assert not settle(storage, settlement(claimed, other))
        assert stored(storage) == before

    @pytest.mark.parametrize(("first", "second"), [*permutations(_GO_ON, 2)], ids=str)
    def test_another_outcome_of_an_ended_attempt_is_no_replay_before_or_after_its_task_is_due(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask, first: Outcome, second: Outcome
    ) -> None:
        settle(storage, settlement(claimed, first, delay=60))
        fenced, tail = counter(storage, "fenced.settle|"), storage.journal_tail(Q)
        assert not settle(storage, settlement(claimed, second, delay=60))
        assert storage.journal_tail(Q) == tail
        clock.advance(60)
        sweep(storage)
        before = stored(storage)
        assert before.status is TaskStatus.PENDING
        assert not settle(storage, settlement(claimed, second, delay=60))
        assert stored(storage) == before
        assert counter(storage, "fenced.settle|") == fenced + 2

    @pytest.mark.parametrize("outcome", _GO_ON, ids=str)
    def test_a_repeated_settlement_counts_also_once_its_task_is_due(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        settle(storage, settlement(claimed, outcome, delay=60))
        clock.advance(60)
        sweep(storage)
        before = stored(storage)
        assert before.status is TaskStatus.PENDING
        assert settle(storage, settlement(claimed, outcome, delay=60))
        assert stored(storage) == before

    @pytest.mark.parametrize(("first", "second"), [*permutations(_CANCELLABLE, 2)], ids=str)
    def test_another_outcome_of_an_attempt_that_became_a_cancellation_is_no_replay(
        self, storage: Storage, claimed: ClaimedTask, first: Outcome, second: Outcome
    ) -> None:
        storage.cancel(Q, ["t1"])
        settle(storage, settlement(claimed, first, delay=60))
        assert status(storage) is TaskStatus.CANCELLED
        assert not settle(storage, settlement(claimed, second, delay=60))

    @pytest.mark.parametrize("outcome", _CANCELLABLE, ids=str)
    def test_an_outcome_does_not_count_where_the_lease_was_taken_back(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        clock.advance(LEASE)
        sweep(storage)
        before = stored(storage)
        assert before.status is TaskStatus.PENDING
        assert not settle(storage, settlement(claimed, outcome))
        storage.cancel(Q, ["t1"])
        assert not settle(storage, settlement(claimed, outcome))

    def test_burying_does_not_count_where_crashes_did(
        self, storage: Storage, clock: ManualClock, claimed: ClaimedTask
    ) -> None:
        storage.configure(Q, {"max_crashes": 1})
        clock.advance(LEASE)
        sweep(storage)
        assert stored(storage).reason == "crashed"
        assert not settle(storage, bury(claimed, "crashed"))

    @pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.BURY], ids=str)
    def test_a_failure_that_was_requeued_is_no_replay(
        self, storage: Storage, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        settle(storage, settlement(claimed, outcome, delay=60))
        storage.requeue(Q, ["t1"])
        storage.cancel(Q, ["t1"])
        assert not settle(storage, retry(claimed))
        assert not settle(storage, bury(claimed))

    def test_an_outcome_is_no_replay_of_one_twenty_attempts_ago(self, storage: Storage, claimed: ClaimedTask) -> None:
        for _ in range(HISTORY_LIMIT):
            settle(storage, release(claimed))
            claimed = claim_one(storage)
        settle(storage, complete(claimed))
        assert not settle(storage, release(claimed))

    def test_burying_for_another_reason_is_no_replay(self, storage: Storage, claimed: ClaimedTask) -> None:
        settle(storage, bury(claimed, "one"))
        assert not settle(storage, bury(claimed, "two"))
        assert stored(storage).reason == "one"

    def test_a_replay_keeps_the_first_result(self, storage: Storage, claimed: ClaimedTask) -> None:
        settle(storage, complete(claimed, b"first"))
        settle(storage, complete(claimed, b"second"))
        assert stored(storage).result == b"first"

    @pytest.mark.parametrize("outcome", _CANCELLABLE, ids=str)
    def test_a_repeated_settlement_that_became_a_cancellation_counts(
        self, storage: Storage, claimed: ClaimedTask, outcome: Outcome
    ) -> None:
        storage.cancel(Q, ["t1"])
        assert settle(storage, settlement(claimed, outcome))
        assert settle(storage, settlement(claimed, outcome))
        assert status(storage) is TaskStatus.CANCELLED

    def test_a_repeated_settlement_changes_nothing_once_the_task_was_claimed_again(
        self, storage: Storage, claimed: ClaimedTask
    ) -> None:
        settle(storage, retry(claimed))
        claim_one(storage)
        before = stored(storage)
        assert not settle(storage, retry(claimed))
        assert stored(storage) == before

    def test_a_repeated_exchange_settles_once_and_claims_what_is_left(
        self, storage: Storage, claimed: ClaimedTask
    ) -> None:
        enqueue(storage, "t2", "t3")
        first = storage.exchange([complete(claimed)], request(limit=1))
        second = storage.exchange([complete(claimed)], request(limit=1))
        assert first.settled == second.settled == [True]
        assert [task.id for task in first.claim.tasks + second.claim.tasks] == ["t2", "t3"]
        assert counter(storage, "attempts.succeeded|mail") == 1

    def test_a_repeated_enqueue_stores_nothing(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        tail = storage.journal_tail(Q)
        assert enqueue(storage, "t1", "t2") == [False, False]
        assert stats(storage).depth == 2
        assert storage.journal_tail(Q) == tail

    def test_a_repeated_cancel_gives_the_same_task(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        first = storage.cancel(Q, ["t1"])
        assert storage.cancel(Q, ["t1"]) == first

    def test_a_repeated_requeue_finds_the_task_ready_already(self, storage: Storage) -> None:
        bring_to(storage, TaskStatus.DEAD)
        assert storage.requeue(Q, ["t1", "t1"]) == [True, False]
        assert stats(storage).depth == 1

    def test_a_repeated_delete_finds_nothing(self, storage: Storage) -> None:
        bring_to(storage, TaskStatus.DEAD)
        assert storage.delete(Q, ["t1", "t1"]) == [True, False]
