"""What is kept of a task's attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.history import HISTORY_LIMIT, AttemptOutcome, StoredAttempt
from distributed_queue.core.storage import Outcome, TaskFilter, TaskUpdate
from distributed_queue.testing.builders import LEASE, Q, bury, complete, release, retry, settlement
from distributed_queue.testing.steps import claim_one, enqueue, settle, stored, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

ENDS = {
    Outcome.COMPLETE: AttemptOutcome.SUCCEEDED,
    Outcome.RETRY: AttemptOutcome.FAILED,
    Outcome.BURY: AttemptOutcome.FAILED,
    Outcome.RELEASE: AttemptOutcome.RELEASED,
    Outcome.SNOOZE: AttemptOutcome.SNOOZED,
    Outcome.CANCEL: AttemptOutcome.CANCELLED,
}


class TestHistory:
    """``StoredTask.history``."""

    def test_a_task_that_waits_for_the_first_time_has_none(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        assert stored(storage).history == ()

    def test_the_attempt_that_runs_is_there(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, worker="w7")
        assert stored(storage).history == (StoredAttempt(1, AttemptOutcome.RUNNING, clock.now(), None, "w7"),)

    @pytest.mark.parametrize(
        "note", [None, b"", b"\x00\xff note", b"x" * 70_000], ids=["none", "empty", "short", "long"]
    )
    @pytest.mark.parametrize(("outcome", "word"), ENDS.items(), ids=map(str, ENDS))
    def test_each_end_is_kept_with_its_times_its_worker_and_its_note(
        self, storage: Storage, clock: ManualClock, outcome: Outcome, word: AttemptOutcome, note: bytes | None
    ) -> None:
        enqueue(storage, "t1")
        started = clock.now()
        claimed = claim_one(storage, worker="w7")
        clock.advance(1.25)
        settle(storage, settlement(claimed, outcome, delay=5, note=note))
        ended = clock.now()
        clock.advance(100)
        assert stored(storage).history == (StoredAttempt(1, word, started, ended, "w7", note),)

    def test_failures_crashes_and_the_final_success_stand_in_their_order(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage, worker="w1"), note=b"no"))
        claim_one(storage, worker="w2", lease_seconds=10)
        clock.advance(10)
        sweep(storage)
        settle(storage, complete(claim_one(storage, worker="w3")))
        task = stored(storage)
        assert [(each.attempt, str(each.outcome), each.worker_id, each.note) for each in task.history] == [
            (1, "failed", "w1", b"no"),
            (2, "crashed", "w2", None),
            (3, "succeeded", "w3", None),
        ]
        assert (task.failures, task.crashes) == (1, 1)

    def test_what_was_noted_while_it_ran_survives_a_crash(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        storage.update(Q, "t1", TaskUpdate(note=b"early", attempt=claim_one(storage, lease_seconds=10).attempt))
        assert [each.note for each in stored(storage).history] == [b"early"]
        clock.advance(10)
        sweep(storage)
        (crashed,) = stored(storage).history
        assert (crashed.outcome, crashed.note) == (AttemptOutcome.CRASHED, b"early")
        settle(storage, bury(claim_one(storage)))
        assert [each.note for each in stored(storage).history] == [b"early", None]

    @pytest.mark.parametrize(("note", "kept"), [(b"last", b"last"), (None, b"early")])
    def test_the_last_note_of_an_attempt_counts(self, storage: Storage, note: bytes | None, kept: bytes) -> None:
        enqueue(storage, "t1")
        claimed = claim_one(storage)
        storage.update(Q, "t1", TaskUpdate(note=b"early", attempt=claimed.attempt))
        settle(storage, complete(claimed, note=note))
        (attempt,) = stored(storage).history
        assert (attempt.outcome, attempt.note) == (AttemptOutcome.SUCCEEDED, kept)

    def test_nothing_is_noted_of_an_attempt_that_is_over(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), note=b"why"))
        claim_one(storage)
        before = stored(storage).history
        assert not storage.update(Q, "t1", TaskUpdate(note=b"late", attempt=1))
        assert not storage.update(Q, "t1", TaskUpdate(note=b"late"))
        assert stored(storage).history == before

    def test_a_settlement_that_is_repeated_keeps_what_the_first_brought(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enqueue(storage, "t1")
        settled = retry(claim_one(storage), delay=50, note=b"why")
        assert settle(storage, settled)
        before = stored(storage).history
        clock.advance(1)
        assert settle(storage, settled)
        assert stored(storage).history == before

    def test_an_old_attempt_leaves_no_trace(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        lost = claim_one(storage, lease_seconds=10)
        clock.advance(10)
        claim_one(storage)
        assert not settle(storage, retry(lost, note=b"too late"))
        assert [(str(each.outcome), each.note) for each in stored(storage).history] == [
            ("crashed", None),
            ("running", None),
        ]

    def test_the_latest_are_kept(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        for number in range(HISTORY_LIMIT + 5):
            settle(storage, retry(claim_one(storage), note=b"%d" % number))
        kept = stored(storage).history
        assert [each.attempt for each in kept] == list(range(6, HISTORY_LIMIT + 6))
        assert [each.note for each in kept] == [b"%d" % (each.attempt - 1) for each in kept]
        settle(storage, complete(claim_one(storage)))
        assert [each.attempt for each in stored(storage).history] == list(range(7, HISTORY_LIMIT + 7))

    def test_it_goes_on_after_a_requeue(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, bury(claim_one(storage), note=b"why"))
        storage.requeue(Q, ["t1"])
        settle(storage, complete(claim_one(storage)))
        assert [(each.attempt, str(each.outcome), each.note) for each in stored(storage).history] == [
            (1, "failed", b"why"),
            (2, "succeeded", None),
        ]

    def test_cancelling_tells_it_and_listing_does_not(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, retry(claim_one(storage), delay=LEASE, note=b"why"))
        (cancelled,) = storage.cancel(Q, ["t1"])
        assert cancelled is not None
        assert [each.note for each in cancelled.history] == [b"why"]
        (listed,) = storage.find(TaskFilter(Q)).tasks
        assert listed.history == ()

    @pytest.mark.parametrize("how", ["delete", "clear", "retention"])
    def test_another_task_with_the_same_id_begins_anew(self, storage: Storage, clock: ManualClock, how: str) -> None:
        enqueue(storage, "t1")
        settle(storage, release(claim_one(storage)))
        settle(storage, settlement(claim_one(storage), Outcome.CANCEL, note=b"why"))
        if how == "delete":
            storage.delete(Q, ["t1"])
        elif how == "clear":
            storage.clear(Q)
        else:
            storage.configure(Q, {"retention_count": 0})
            sweep(storage)
        enqueue(storage, "t1")
        claim_one(storage)
        assert [each.attempt for each in stored(storage).history] == [1]
