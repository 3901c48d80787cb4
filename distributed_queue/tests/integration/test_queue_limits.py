"""Limits of size, rate and concurrency, as programs meet them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task
from distributed_queue.errors import QueueClosed, QueueFull
from distributed_queue.tests.steps import LIMIT, put, take

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small(storage_url: str) -> Iterator[HybridQueue]:
    """A queue with room for two."""
    with HybridQueue.from_url(storage_url, max_size=2) as queue:
        yield queue


class TestSize:
    def test_a_full_queue_refuses_at_once_without_block(self, small: HybridQueue) -> None:
        put(small)
        put(small)
        assert small.put(Task(1, None), block=False) is False
        assert small.size() == 2

    def test_a_full_queue_refuses_after_the_timeout(self, small: HybridQueue) -> None:
        small.put_many([Task(1, None), Task(1, None)])
        begin = time.monotonic()
        assert small.put(Task(1, None), timeout=0.1) is False
        assert time.monotonic() - begin >= 0.09
        assert small.put(Task(1, None), timeout=0) is False

    def test_a_blocked_put_goes_on_when_there_is_room(self, small: HybridQueue) -> None:
        small.put_many([Task(1, None), Task(1, None)])
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(small.put(Task(1, "third"), timeout=LIMIT)))
        thread.start()
        take(small)
        thread.join(LIMIT)
        assert answers == [True]
        assert small.size() == 2

    def test_a_batch_that_does_not_fit_is_not_stored_in_part(self, small: HybridQueue) -> None:
        put(small)
        assert small.put_many([Task(1, None), Task(1, None)], block=False) is False
        assert small.size() == 1

    def test_a_batch_that_never_fits_is_refused_without_waiting(self, small: HybridQueue) -> None:
        assert small.put_many([Task(1, None)] * 1 + [Task(1, None) for _ in range(2)]) is False
        assert small.size() == 0

    def test_enqueue_says_depth_limit_and_when_to_come_back(self, small: HybridQueue) -> None:
        put(small)
        with pytest.raises(QueueFull) as caught:
            small.enqueue([Task(1, None), Task(1, None)])
        full = caught.value
        assert (full.queue, full.depth, full.limit, full.transient) == ("default", 1, 2, True)
        assert full.retry_after > 0

    def test_a_known_task_needs_no_room(self, small: HybridQueue) -> None:
        task = put(small)
        put(small)
        assert small.put(task, block=False) is True

    def test_each_queue_has_room_of_its_own(self, small: HybridQueue) -> None:
        for name in ("a", "a", "b", "b"):
            put(small, queue=name)
        assert small.put(Task(1, None, queue="a"), block=False) is False

    def test_closing_ends_a_blocked_put(self, small: HybridQueue) -> None:
        small.put_many([Task(1, None), Task(1, None)])
        ended: list[object] = []

        def blocked() -> None:
            try:
                ended.append(small.put(Task(1, None), timeout=LIMIT))
            except QueueClosed as closed:
                ended.append(closed.code)

        thread = threading.Thread(target=blocked)
        thread.start()
        small.close()
        thread.join(LIMIT)
        assert ended == ["queue-closed"]


class TestRate:
    def test_no_more_than_the_burst_starts_at_once(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, rate_limit=0.1, rate_burst=3) as queue:
            queue.put_many([Task(1, None) for _ in range(5)])
            assert [queue.get(block=False) is not None for _ in range(5)] == [True, True, True, False, False]

    def test_a_get_that_does_not_block_does_not_wait_for_the_rate(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, rate_limit=0.001, rate_burst=1) as queue:
            queue.put_many([Task(1, None), Task(1, None)])
            take(queue)
            begin = time.monotonic()
            assert queue.get(block=False) is None
            assert time.monotonic() - begin < 5

    def test_a_blocked_get_comes_back_when_the_rate_allows(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, rate_limit=20, rate_burst=1) as queue:
            queue.put_many([Task(1, number) for number in range(4)])
            begin = time.monotonic()
            assert [take(queue, timeout=LIMIT).payload for _ in range(4)] == [0, 1, 2, 3]
            assert time.monotonic() - begin >= 0.1  # of 0.15: the clocks may be corrected meanwhile


class TestConcurrency:
    def test_no_more_leases_are_open_than_allowed(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, concurrency=2) as queue:
            tasks = [put(queue, number) for number in range(3)]
            take(queue)
            take(queue)
            assert queue.get(block=False) is None
            queue.mark_completed(tasks[0].task_id)
            assert take(queue).payload == 2

    def test_a_blocked_get_comes_back_when_a_lease_is_over(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, concurrency=1) as queue:
            first = put(queue, "first")
            put(queue, "second")
            take(queue)
            got: list[Task | None] = []
            thread = threading.Thread(target=lambda: got.append(queue.get(timeout=LIMIT)))
            thread.start()
            queue.mark_completed(first.task_id)
            thread.join(LIMIT)
            assert got[0] is not None
            assert got[0].payload == "second"
