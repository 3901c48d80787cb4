"""Waiting for work and for news, on the engine's own clock."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures import TimeoutError as StillWaiting
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.storage import TaskUpdate
from distributed_queue.testing.builders import Q, complete, release, request
from distributed_queue.testing.steps import claim_ids, claim_one, enqueue, settle

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from distributed_queue.core.storage import ClaimedTask, JournalEntry, Storage

LIMIT = 10.0
"""Seconds until a wait that nothing ended counts as lost."""
PATIENCE = 3 * LIMIT
"""Seconds for which waits are asked for: what they wait for must come before."""
SHORT = 0.2
"""Seconds for which a wait has to last where nothing must end it."""


def work_as_it_comes(storage: Storage, limit: float = LIMIT) -> ClaimedTask:
    """Claim, wait, claim again, as a worker does, until there is a task."""
    end = time.monotonic() + limit
    while (left := end - time.monotonic()) > 0:
        answer = storage.claim(request(limit=1))
        if answer.tasks:
            return answer.tasks[0]
        storage.wait([Q], left if answer.next_due is None else min(left, answer.next_due))
    raise AssertionError(f"no task came within {limit} s")


def waiting(threads: ThreadPoolExecutor, storage: Storage, *queues: str) -> Future[tuple[str, ...]]:
    """Another thread that waits for work, and has begun to."""
    future = threads.submit(storage.wait, queues or (Q,), PATIENCE)
    with pytest.raises(StillWaiting):
        future.result(SHORT)
    return future


class TestWait:
    """``wait`` and ``wake``."""

    def test_ready_work_is_named_at_once(self, realtime_storage: Storage) -> None:
        enqueue(realtime_storage, "t1", queue="b")
        assert realtime_storage.wait(["a", "b"], PATIENCE) == ("b",)

    def test_without_work_the_time_passes(self, realtime_storage: Storage) -> None:
        realtime_storage.configure(Q, {})
        start = time.monotonic()
        assert realtime_storage.wait([Q], SHORT) == ()
        assert time.monotonic() - start >= SHORT * 0.9

    def test_without_time_it_only_looks(self, realtime_storage: Storage) -> None:
        assert realtime_storage.wait([Q], 0) == ()
        enqueue(realtime_storage, "t1")
        assert realtime_storage.wait([Q], 0) == (Q,)

    def test_an_arrival_ends_the_wait(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = waiting(threads, realtime_storage)
        enqueue(realtime_storage, "t1")
        assert future.result(LIMIT) == (Q,)

    def test_an_arrival_through_another_client_ends_the_wait(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        future = waiting(threads, realtime_storage)
        enqueue(second_realtime_storage, "t1")
        assert future.result(LIMIT) == (Q,)

    def test_an_arrival_in_any_of_the_queues_ends_the_wait(
        self, realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        future = waiting(threads, realtime_storage, "a", "b", "c")
        enqueue(realtime_storage, "t1", queue="b")
        assert future.result(LIMIT) == ("b",)

    def test_an_arrival_in_another_queue_does_not(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = waiting(threads, realtime_storage, "a")
        enqueue(realtime_storage, "t1", queue="b")
        with pytest.raises(StillWaiting):
            future.result(SHORT)
        enqueue(realtime_storage, "t2", queue="a")
        assert future.result(LIMIT) == ("a",)

    def test_each_arrival_wakes_someone(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        futures = [threads.submit(work_as_it_comes, realtime_storage) for _ in range(3)]
        for number in range(3):
            enqueue(realtime_storage, f"t{number}")
        assert {future.result(LIMIT).id for future in futures} == {"t0", "t1", "t2"}

    def test_a_batch_is_work_for_all_who_wait(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        futures = [threads.submit(work_as_it_comes, realtime_storage) for _ in range(3)]
        enqueue(realtime_storage, "t0", "t1", "t2")
        assert {future.result(LIMIT).id for future in futures} == {"t0", "t1", "t2"}

    @pytest.mark.parametrize("limit", [0, 1])
    def test_a_claim_that_leaves_work_passes_the_news_on(
        self, realtime_storage: Storage, threads: ThreadPoolExecutor, limit: int
    ) -> None:
        futures = {waiting(threads, realtime_storage) for _ in range(2)}
        enqueue(realtime_storage, "t1", "t2")
        done, _ = wait(futures, LIMIT, FIRST_COMPLETED)
        assert done
        claim_ids(realtime_storage, limit=limit)
        assert [future.result(LIMIT) for future in futures] == [(Q,), (Q,)]

    def test_wake_ends_every_wait_of_this_client(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        futures = [waiting(threads, realtime_storage) for _ in range(2)]
        realtime_storage.wake()
        assert [future.result(LIMIT) for future in futures] == [(), ()]

    def test_closing_ends_every_wait(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = waiting(threads, realtime_storage)
        realtime_storage.close()
        assert future.exception(LIMIT) is not None or future.result() == ()

    def test_a_paused_queue_has_no_work_until_it_is_resumed(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        realtime_storage.pause(Q)
        enqueue(realtime_storage, "t1")
        assert realtime_storage.wait([Q], 0) == ()
        future = threads.submit(work_as_it_comes, realtime_storage)
        second_realtime_storage.resume(Q)
        assert future.result(LIMIT).id == "t1"

    def test_a_release_is_an_arrival(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        enqueue(realtime_storage, "t1")
        task = claim_one(realtime_storage)
        future = waiting(threads, realtime_storage)
        settle(second_realtime_storage, release(task))
        assert future.result(LIMIT) == (Q,)

    def test_a_requeue_is_an_arrival(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        enqueue(realtime_storage, "t1")
        realtime_storage.cancel(Q, ["t1"])
        future = waiting(threads, realtime_storage)
        second_realtime_storage.requeue(Q, ["t1"])
        assert future.result(LIMIT) == (Q,)

    def test_room_under_the_concurrency_limit_is_an_arrival(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        realtime_storage.configure(Q, {"concurrency": 1})
        enqueue(realtime_storage, "t1", "t2")
        task = claim_one(realtime_storage)
        future = threads.submit(work_as_it_comes, realtime_storage)
        settle(second_realtime_storage, complete(task))
        assert future.result(LIMIT).id == "t2"

    @pytest.mark.parametrize("delay", [0.05, 0.3])
    def test_a_delayed_task_comes_at_its_time_and_not_before(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor, delay: float
    ) -> None:
        future = threads.submit(work_as_it_comes, realtime_storage)
        enqueue(second_realtime_storage, "t1", delay=delay)
        task = future.result(LIMIT)
        assert delay <= round(task.claimed_at - task.created_at, 3) < delay + 5

    def test_a_task_moved_forward_comes_at_its_new_time(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        enqueue(realtime_storage, "t1", delay=1000)
        future = threads.submit(work_as_it_comes, realtime_storage)
        second_realtime_storage.update(Q, "t1", TaskUpdate(execute_after=1.0))
        assert future.result(LIMIT).id == "t1"

    def test_a_lease_that_runs_out_brings_its_task_to_whoever_waits(
        self, realtime_storage: Storage, second_realtime_storage: Storage
    ) -> None:
        enqueue(realtime_storage, "t1")
        claim_one(realtime_storage, lease_seconds=0.1)
        assert work_as_it_comes(second_realtime_storage).crashes == 1


class TestJournalNews:
    """``journal`` with a timeout."""

    def test_an_entry_ends_the_wait(
        self, realtime_storage: Storage, second_realtime_storage: Storage, threads: ThreadPoolExecutor
    ) -> None:
        future = self._reading(threads, realtime_storage, 0)
        enqueue(second_realtime_storage, "t1")
        assert [entry.position for entry in future.result(LIMIT)] == [1]

    def test_what_is_there_already_comes_at_once(self, realtime_storage: Storage) -> None:
        enqueue(realtime_storage, "t1")
        enqueue(realtime_storage, "t2")
        assert [entry.position for entry in realtime_storage.journal(Q, 1, 10, PATIENCE)] == [2]

    def test_only_news_after_the_position_count(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        enqueue(realtime_storage, "t1")
        future = self._reading(threads, realtime_storage, 1)
        claim_ids(realtime_storage)
        assert [entry.position for entry in future.result(LIMIT)] == [2]

    def test_news_of_another_queue_do_not(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = self._reading(threads, realtime_storage, 0)
        enqueue(realtime_storage, "t1", queue="other")
        with pytest.raises(StillWaiting):
            future.result(SHORT)
        enqueue(realtime_storage, "t1")
        assert len(future.result(LIMIT)) == 1

    def test_without_news_the_time_passes(self, realtime_storage: Storage) -> None:
        start = time.monotonic()
        assert realtime_storage.journal(Q, 0, 10, SHORT) == []
        assert time.monotonic() - start >= SHORT * 0.9

    def test_wake_ends_the_wait(self, realtime_storage: Storage, threads: ThreadPoolExecutor) -> None:
        future = self._reading(threads, realtime_storage, 0)
        realtime_storage.wake()
        assert future.result(LIMIT) == []

    @staticmethod
    def _reading(threads: ThreadPoolExecutor, storage: Storage, after: int) -> Future[list[JournalEntry]]:
        future = threads.submit(storage.journal, Q, after, 10, PATIENCE)
        with pytest.raises(StillWaiting):
            future.result(SHORT)
        return future
