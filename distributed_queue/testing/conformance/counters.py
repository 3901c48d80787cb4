"""Counters: what metrics are made of, true across processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.counters import BUCKET_BOUNDS_MS, MAX_TYPES
from distributed_queue.core.lifecycle import FINISHED, TaskStatus
from distributed_queue.core.storage import Outcome
from distributed_queue.testing.builders import Q, complete, lease_of, new_task, release, retry, settlement
from distributed_queue.testing.steps import (
    bring_to,
    claim,
    claim_one,
    counter,
    enqueue,
    settle,
    stats,
    sweep,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage


def histogram(storage: Storage, what: str, task_type: str = "mail") -> tuple[dict[int, int], int]:
    """The buckets of a histogram that have counted, and its sum."""
    buckets = {index: counter(storage, f"{what}.{index}|{task_type}") for index in range(len(BUCKET_BOUNDS_MS) + 1)}
    return {index: count for index, count in buckets.items() if count}, counter(storage, f"{what}.ms|{task_type}")


class TestCounters:
    """``stats``: counters."""

    def test_a_queue_that_did_nothing_has_counted_nothing(self, storage: Storage) -> None:
        storage.configure(Q, {})
        assert stats(storage).counters == {}

    def test_enqueued_and_deduplicated_tasks(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t1")
        enqueue(storage, "t2", "t3")
        assert counter(storage, "enqueued|mail") == 3
        assert counter(storage, "deduplicated|mail") == 2

    def test_types_are_counted_apart(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", task_type="a")
        enqueue(storage, "t3", task_type="b|c")
        assert counter(storage, "enqueued|a") == 2
        assert counter(storage, "enqueued|b|c") == 1

    def test_queues_are_counted_apart(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t2", "t3", queue="b")
        assert [counter(storage, "enqueued|mail", queue) for queue in ("a", "b")] == [1, 2]

    def test_attempts_by_how_they_ended(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, *"abcdefgh")
        a, b, c, d, e, f, g, h = claim(storage, lease_seconds=10)
        storage.settle([complete(a), complete(b), retry(c, 500), settlement(d, Outcome.BURY), release(e)])
        storage.settle([settlement(f, Outcome.SNOOZE, delay=500), settlement(h, Outcome.CANCEL)])
        assert g.id == "g"
        clock.advance(10)
        sweep(storage)
        expected = {
            "started|mail": 8,
            "attempts.succeeded|mail": 2,
            "attempts.failed|mail": 2,
            "attempts.lost|mail": 1,
            "attempts.cancelled|mail": 1,
            "retries|mail": 1,
            "finished.completed|mail": 2,
            "finished.dead|mail": 1,
        }
        counted = stats(storage).counters
        assert {name: counted.get(name, 0) for name in expected} == expected

    @pytest.mark.parametrize("state", sorted(FINISHED), ids=str)
    def test_finished_tasks_by_state(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state)
        finished = {name: count for name, count in stats(storage).counters.items() if name.startswith("finished.")}
        assert finished == {f"finished.{state}|mail": 1}

    def test_a_task_buried_for_its_crashes_is_counted_as_dead(self, storage: Storage, clock: ManualClock) -> None:
        storage.configure(Q, {"max_crashes": 1})
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        sweep(storage)
        assert counter(storage, "finished.dead|mail") == counter(storage, "poisoned|mail") == 1
        assert counter(storage, "attempts.failed|mail") == 0

    def test_a_task_that_survives_a_crash_is_no_poison(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=10)
        clock.advance(10)
        sweep(storage)
        assert (counter(storage, "attempts.lost|mail"), counter(storage, "poisoned|mail")) == (1, 0)

    def test_leases_that_were_extended_and_those_that_were_lost(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        first, second = claim(storage)
        settle(storage, complete(second))
        storage.extend([lease_of(first), lease_of(second), lease_of(first)], 30)
        assert (counter(storage, "extended|"), counter(storage, "fenced.extend|")) == (2, 1)

    def test_a_retry_that_became_a_cancellation_is_a_failure_but_no_retry(self, storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)
        storage.cancel(Q, ["t1"])
        settle(storage, retry(task))
        assert counter(storage, "attempts.failed|mail") == 1
        assert counter(storage, "retries|mail") == 0

    def test_types_beyond_the_limit_are_counted_together(self, storage: Storage) -> None:
        storage.enqueue([new_task(f"t{number}", task_type=f"type{number}") for number in range(MAX_TYPES + 5)])
        assert counter(storage, "enqueued|other") == 5
        assert counter(storage, f"enqueued|type{MAX_TYPES - 1}") == 1
        assert counter(storage, f"enqueued|type{MAX_TYPES}") == 0
        claim(storage, limit=1000)
        assert counter(storage, "started|other") == 5

    def test_clients_count_together(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        enqueue(second_storage, "t2")
        assert counter(storage, "enqueued|mail") == counter(second_storage, "enqueued|mail") == 2


class TestHistograms:
    """``stats``: histograms of waiting and running."""

    @pytest.mark.parametrize(
        ("milliseconds", "bucket"), [(0, 0), (5, 0), (6, 1), (999, 7), (1000, 7), (1001, 8), (3_600_001, 17)]
    )
    def test_waiting_is_counted_in_its_bucket(
        self, storage: Storage, clock: ManualClock, milliseconds: int, bucket: int
    ) -> None:
        enqueue(storage, "t1")
        clock.advance(milliseconds / 1000)
        claim_one(storage)
        assert histogram(storage, "wait") == ({bucket: 1}, milliseconds)

    def test_a_deliberate_delay_is_no_waiting(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", delay=5)
        clock.advance(5.02)
        claim_one(storage)
        assert histogram(storage, "wait") == ({2: 1}, 20)

    def test_each_attempt_waits_anew(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        clock.advance(0.004)
        task = claim_one(storage)
        clock.advance(9)
        settle(storage, retry(task, delay=1))
        clock.advance(1.008)
        claim_one(storage)
        assert histogram(storage, "wait") == ({0: 1, 1: 1}, 12)

    @pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY], ids=str)
    def test_running_is_counted_when_an_attempt_ends(
        self, storage: Storage, clock: ManualClock, outcome: Outcome
    ) -> None:
        enqueue(storage, "t1")
        clock.advance(3)
        task = claim_one(storage)
        clock.advance(0.03)
        settle(storage, settlement(task, outcome))
        assert histogram(storage, "duration") == ({3: 1}, 30)

    @pytest.mark.parametrize("outcome", [Outcome.RELEASE, Outcome.SNOOZE, Outcome.CANCEL], ids=str)
    def test_running_that_was_broken_off_is_not_counted(self, storage: Storage, outcome: Outcome) -> None:
        enqueue(storage, "t1")
        settle(storage, settlement(claim_one(storage), outcome))
        assert histogram(storage, "duration") == ({}, 0)

    def test_sums_add_up(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1", "t2", "t3")
        tasks = claim(storage)
        for task, seconds in zip(tasks, (0.2, 0.1, 1), strict=True):
            clock.advance(seconds)
            settle(storage, complete(task))
        assert histogram(storage, "duration") == ({5: 1, 6: 1, 8: 1}, 200 + 300 + 1300)
