"""The journal: every change, in order, without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Change, JournalEntry, Outcome, TaskUpdate
from distributed_queue.testing.builders import Q, bury, complete, of_attempt, request, retry, settlement
from distributed_queue.testing.steps import bring_to, changes, claim, claim_one, enqueue, events, settle, sweep

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

EVENT_OF = {
    Outcome.COMPLETE: "completed",
    Outcome.RETRY: "retrying",
    Outcome.BURY: "dead",
    Outcome.RELEASE: "released",
    Outcome.SNOOZE: "snoozed",
    Outcome.CANCEL: "cancelled",
}


class TestJournal:
    """``journal`` and ``journal_tail``."""

    def test_a_step_is_an_entry_with_all_that_it_changed(self, storage: Storage, clock: ManualClock) -> None:
        start = clock.now()
        enqueue(storage, "t1", "t2")
        clock.advance(1)
        claim(storage, worker="w7")
        assert storage.journal(Q, 0, 10) == [
            JournalEntry(1, start, [Change("enqueued", "t1"), Change("enqueued", "t2")]),
            JournalEntry(2, start + 1, [Change("claimed", "t1", 1, "w7"), Change("claimed", "t2", 1, "w7")]),
        ]

    def test_settling_and_claiming_in_one_exchange_is_one_step(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        task = claim_one(storage)
        tail = storage.journal_tail(Q)
        storage.exchange([complete(task)], request(worker="w1"))
        (entry,) = storage.journal(Q, tail, 10)
        assert entry.changes == [Change("completed", "t1", 1), Change("claimed", "t2", 1, "w1")]

    def test_positions_count_up_without_gaps(self, storage: Storage) -> None:
        for number in range(20):
            enqueue(storage, f"t{number}")
        assert [entry.position for entry in storage.journal(Q, 0, 100)] == list(range(1, 21))
        assert storage.journal_tail(Q) == 20

    def test_reading_goes_on_after_a_position(self, storage: Storage) -> None:
        for number in range(6):
            enqueue(storage, f"t{number}")
        assert [entry.position for entry in storage.journal(Q, 2, 3)] == [3, 4, 5]
        assert [entry.position for entry in storage.journal(Q, 5, 3)] == [6]
        assert storage.journal(Q, 6, 3) == []
        assert storage.journal(Q, 99, 3) == []

    def test_each_queue_has_its_own(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t2", queue="b")
        enqueue(storage, "t3", queue="b")
        assert events(storage, "a") == [("enqueued", "t1")]
        assert [storage.journal_tail(queue) for queue in ("a", "b")] == [1, 2]

    def test_a_queue_that_nobody_used_has_none(self, storage: Storage) -> None:
        assert storage.journal("nobody", 0, 10) == []
        assert storage.journal_tail("nobody") == 0

    def test_a_step_that_changes_nothing_has_no_entry(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        tail = storage.journal_tail(Q)
        clock.advance(1)
        enqueue(storage, "t1")
        claim(storage)
        settle(storage, complete(of_attempt(task, 9)))
        storage.cancel(Q, ["nobody"])
        storage.requeue(Q, ["t1"])
        storage.delete(Q, ["t1"])
        storage.update(Q, "t1", TaskUpdate(priority=1))
        storage.configure(Q, {"paused": False})
        assert storage.journal_tail(Q) == tail

    def test_a_second_client_reads_the_same(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        enqueue(second_storage, "t2")
        assert storage.journal(Q, 0, 10) == second_storage.journal(Q, 0, 10)
        assert second_storage.journal_tail(Q) == 2


class TestJournalledEvents:
    """``journal``: what is told of each change."""

    @pytest.mark.parametrize("outcome", Outcome, ids=str)
    def test_every_outcome_has_its_word(self, storage: Storage, outcome: Outcome) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        tail = storage.journal_tail(Q)
        settle(storage, settlement(task, outcome, result=b"r", error=b"e", delay=5))
        detail = "failed" if outcome is Outcome.BURY else ""
        assert changes(storage, after=tail) == [Change(EVENT_OF[outcome], "t1", 1, detail)]

    @pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE], ids=str)
    def test_an_outcome_that_became_a_cancellation_is_told_as_one(self, storage: Storage, outcome: Outcome) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        storage.cancel(Q, ["t1"])
        tail = storage.journal_tail(Q)
        settle(storage, settlement(task, outcome))
        assert changes(storage, after=tail) == [Change("cancelled", "t1", 1)]

    def test_a_burial_tells_its_reason(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        settle(storage, bury(claim_one(storage), "timeout"))
        assert changes(storage)[-1] == Change("dead", "t1", 1, "timeout")

    def test_a_task_that_was_due_is_told_before_it_is_claimed(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        clock.advance(5)
        tail = storage.journal_tail(Q)
        claim(storage)
        assert changes(storage, after=tail) == [Change("due", "t1"), Change("claimed", "t1", 1, "w1")]

    def test_a_crash_and_its_end(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"max_crashes": 2})
        enqueue(storage, "t1")
        tail = storage.journal_tail(Q)
        for _ in range(2):
            claim(storage, lease_seconds=10)
            clock.advance(10)
        sweep(storage)
        assert changes(storage, after=tail) == [
            Change("claimed", "t1", 1, "w1"),
            Change("lease_expired", "t1", 1),
            Change("claimed", "t1", 2, "w1"),
            Change("lease_expired", "t1", 2),
            Change("dead", "t1", 2, "crashed"),
        ]

    def test_a_crash_after_a_request_to_stop(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim(storage, lease_seconds=10)
        tail = storage.journal_tail(Q)
        storage.cancel(Q, ["t1"])
        clock.advance(10)
        sweep(storage)
        assert events(storage, after=tail) == [("cancel_requested", "t1"), ("lease_expired", "t1"), ("cancelled", "t1")]

    def test_one_claim_tells_its_sweep_in_order(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "lost")
        claim(storage, lease_seconds=10)
        enqueue(storage, "due", delay=10)
        enqueue(storage, "old", expires_at=clock.now() + 10)
        clock.advance(10)
        tail = storage.journal_tail(Q)
        claim(storage)
        assert events(storage, after=tail) == [
            ("lease_expired", "lost"),
            ("expired", "old"),
            ("due", "due"),
            ("claimed", "lost"),
            ("claimed", "due"),
        ]

    def test_control_is_told_task_by_task(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        tail = storage.journal_tail(Q)
        storage.cancel(Q, ["t2", "t1"])
        storage.requeue(Q, ["t1"])
        storage.update(Q, "t1", TaskUpdate(priority=1))
        storage.delete(Q, ["t1", "t2"])
        assert events(storage, after=tail) == [
            ("cancelled", "t2"),
            ("cancelled", "t1"),
            ("requeued", "t1"),
            ("updated", "t1"),
            ("deleted", "t1"),
            ("deleted", "t2"),
        ]

    def test_settlements_are_told_in_the_order_given(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        first, second, third = claim(storage)
        tail = storage.journal_tail(Q)
        storage.settle([retry(third), complete(first), bury(second)])
        assert events(storage, after=tail) == [("retrying", "t3"), ("completed", "t1"), ("dead", "t2")]

    def test_new_settings_are_told(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 5})
        storage.configure(Q, {"max_size": 5})
        storage.configure(Q, {"max_size": 6, "paused": True})
        assert events(storage) == [("configured", ""), ("paused", ""), ("configured", "")]


class TestJournalBounds:
    """``journal``: how much of it is kept."""

    def test_old_entries_go_when_it_grows_too_large(self, storage: Storage) -> None:
        storage.configure(Q, {"journal_max_bytes": 20_000})
        for number in range(1000):
            enqueue(storage, f"t{number}")
        tail = storage.journal_tail(Q)
        assert tail == 1001
        entries = storage.journal(Q, 0, 10_000)
        assert entries[0].position > 1
        assert [entry.position for entry in entries] == list(range(entries[0].position, tail + 1))
        assert 10 < len(entries) < 1000

    def test_old_entries_go_when_their_time_is_over(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"journal_max_age": 60})
        enqueue(storage, "t1")
        clock.advance(30)
        enqueue(storage, "t2")
        clock.advance(31)
        enqueue(storage, "t3")
        assert events(storage) == [("enqueued", "t2"), ("enqueued", "t3")]
        assert storage.journal_tail(Q) == 4

    def test_it_can_be_off(self, storage: Storage) -> None:
        storage.configure(Q, {"journal": False})
        bring_to(storage, TaskStatus.COMPLETED)
        assert storage.journal(Q, 0, 10) == []
        assert storage.journal_tail(Q) == 0

    def test_it_goes_on_where_it_was_once_it_is_on_again(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        storage.configure(Q, {"journal": False})
        enqueue(storage, "t2")
        storage.configure(Q, {"journal": True})
        enqueue(storage, "t3")
        assert [entry.position for entry in storage.journal(Q, 0, 10)] == [1, 2, 3]
        assert events(storage) == [("enqueued", "t1"), ("configured", ""), ("enqueued", "t3")]
