"""Claims that wait for work, on the engine's own clock."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as StillWaiting
from typing import TYPE_CHECKING

import pytest

from distributed_queue.testing.builders import Q, request
from distributed_queue.testing.conformance.waiting import LIMIT, PATIENCE, SHORT
from distributed_queue.testing.steps import claim_ids, enqueue

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from distributed_queue.core.storage import Claim, Storage


def claiming(
    threads: ThreadPoolExecutor, storage: Storage, *queues: str, limit: int = 10, worker: str = "w1"
) -> Future[Claim]:
    """Another thread whose claim waits, and has begun to."""
    asked = request(*(queues or (Q,)), limit=limit, worker=worker)
    future = threads.submit(storage.await_claim, asked, PATIENCE)
    with pytest.raises(StillWaiting):
        future.result(SHORT)
    return future


def ids(claim: Claim) -> list[str]:
    """What it brought."""
    return [task.id for task in claim.tasks]


def claim_in_the_end(storage: Storage) -> Claim:
    """The first claim that brings something."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        claim = storage.await_claim(request(), PATIENCE)
        if claim.tasks:
            return claim
    raise AssertionError("no task came")


class TestAwaitClaim:
    """``await_claim``."""

    def test_what_is_there_is_claimed_at_once(self, realtime_storage: Storage) -> None:
        enqueue(realtime_storage, "t1", "t2", "t3")
        assert ids(realtime_storage.await_claim(request(limit=2), PATIENCE)) == ["t1", "t2"]

    @pytest.mark.parametrize("queues", [[Q], ["a", Q, "b"]], ids=["one queue", "several"])
    def test_what_arrives_is_claimed(
        self,
        realtime_storage: Storage,
        second_realtime_storage: Storage,
        threads: ThreadPoolExecutor,
        queues: tuple[str],
    ) -> None:
        future = claiming(threads, realtime_storage, *queues)
        enqueue(second_realtime_storage, "t1")
        (task,) = future.result(LIMIT).tasks
        assert (task.id, task.attempt) == ("t1", 1)
        assert claim_ids(second_realtime_storage) == []

    def test_it_claims_again_and_again(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        for number in range(3):
            future = claiming(threads, realtime_storage)
            enqueue(realtime_storage, f"t{number}")
            assert ids(future.result(LIMIT)) == [f"t{number}"]

    def test_nothing_comes_when_the_time_is_over(self, realtime_storage: Storage) -> None:
        start = time.monotonic()
        assert realtime_storage.await_claim(request(), SHORT).tasks == []
        assert time.monotonic() - start >= SHORT * 0.9

    def test_a_delayed_task_is_claimed_at_its_time(self, realtime_storage: Storage) -> None:
        enqueue(realtime_storage, "t1", delay=SHORT)
        assert ids(claim_in_the_end(realtime_storage)) == ["t1"]

    def test_one_that_is_told_of_an_earlier_time_comes_back_then(
        self, realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        future = claiming(threads, realtime_storage)
        enqueue(realtime_storage, "t1", delay=SHORT)
        claim = future.result(LIMIT)
        if not claim.tasks:
            assert claim.next_due is not None
            claim = claim_in_the_end(realtime_storage)
        assert ids(claim) == ["t1"]

    def test_one_arrival_is_for_one(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        futures = [claiming(threads, realtime_storage, limit=1, worker=f"w{number}") for number in range(2)]
        enqueue(realtime_storage, "t1")
        enqueue(realtime_storage, "t2")
        assert sorted(task for future in futures for task in ids(future.result(LIMIT))) == ["t1", "t2"]

    def test_a_claim_that_leaves_work_passes_the_news_on(
        self, realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        futures = [claiming(threads, realtime_storage, limit=1, worker=f"w{number}") for number in range(2)]
        enqueue(realtime_storage, "t1", "t2")
        assert sorted(task for future in futures for task in ids(future.result(LIMIT))) == ["t1", "t2"]

    def test_wake_ends_it(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = claiming(threads, realtime_storage)
        realtime_storage.wake()
        assert future.result(LIMIT).tasks == []

    def test_closing_ends_it(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = claiming(threads, realtime_storage)
        realtime_storage.close()
        assert future.exception(LIMIT) is not None or future.result().tasks == []

    def test_nothing_is_claimed_from_a_paused_queue(
        self, realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        realtime_storage.pause(Q)
        future = claiming(threads, realtime_storage)
        enqueue(realtime_storage, "t1")
        with pytest.raises(StillWaiting):
            future.result(SHORT)
        realtime_storage.resume(Q)
        assert ids(future.result(LIMIT)) == ["t1"]
