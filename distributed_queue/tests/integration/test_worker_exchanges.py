"""A worker under load: exchanges that overlap, tasks held in advance, and a stop in the middle of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import HybridQueue, Task, TaskStatus, Worker
from distributed_queue.tests.steps import LIMIT, eventually, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import Exchange

MANY = 4_000
"""Enough for the worker to hold tasks in advance, and to have exchanges overlap where the storage is for it."""


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


class Counting:
    """A handler that remembers what it was called with."""

    def __init__(self, until: int) -> None:
        self.calls: list[int] = []
        self.enough = threading.Event()
        self._until = until

    def __call__(self, number: int) -> None:
        self.calls.append(number)
        if len(self.calls) == self._until:
            self.enough.set()


def fill(queue: HybridQueue, count: int) -> None:
    queue.put_many([Task(priority=100, payload={"type": "count", "data": number}) for number in range(count)])


def counts(queue: HybridQueue) -> dict[str, int]:
    (stats,) = queue.queue_stats("default")
    return {str(state): number for state, number in stats.counts.items() if number}


def test_many_short_tasks_are_run_once_each(queue: HybridQueue) -> None:
    fill(queue, MANY)
    count = Counting(MANY)
    with running(queue, handlers={"count": count}) as worker:
        assert count.enough.wait(LIMIT)
        eventually(lambda: worker.get_stats()["processed"] == MANY)
    assert sorted(count.calls) == list(range(MANY))
    assert counts(queue) == {"completed": MANY}


def test_a_worker_that_is_stopped_under_load_leaves_nothing_behind(queue: HybridQueue) -> None:
    fill(queue, MANY)
    count = Counting(MANY // 4)
    with running(queue, handlers={"count": count}):
        assert count.enough.wait(LIMIT)
    done = len(count.calls)
    assert counts(queue) == {
        state: number for state, number in {"completed": done, "pending": MANY - done}.items() if number
    }
    assert len(set(count.calls)) == done


def test_what_a_worker_is_given_while_it_stops_goes_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given, go_on, ran = threading.Event(), threading.Event(), threading.Event()
    with HybridQueue() as queue:
        exchange = queue.storage.exchange

        def slow(*arguments: Any) -> Exchange:
            answer = exchange(*arguments)
            if answer.claim.tasks:
                given.set()
                go_on.wait(LIMIT)
            return answer

        monkeypatch.setattr(queue.storage, "exchange", slow)
        worker = Worker(queue)
        worker.register_handler("default", lambda _: ran.set())
        worker.start()
        task = put(queue)
        assert given.wait(LIMIT)
        worker.stop(wait=False)
        eventually(lambda: not worker.running)
        go_on.set()
        assert worker.join(LIMIT)
        assert look(queue, task).status is TaskStatus.PENDING
    assert not ran.is_set()
