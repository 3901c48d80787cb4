"""Stopping workers: what runs may finish, the rest is given back and has used nothing up."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import TaskStatus
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.tests.steps import LIMIT, changes, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.core.storage import Claim


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


class Busy:
    """Handlers that run until they are let go, or told to stop."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def plain(self, _: object) -> str:
        self.begun.release()
        end = time.monotonic() + LIMIT
        while not self.go_on.is_set() and time.monotonic() < end:
            time.sleep(0)
        return "done"

    async def on_loop(self, _: object) -> str:
        self.begun.release()
        await asyncio.to_thread(self.go_on.wait, LIMIT)
        return "done"


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
def test_what_runs_may_finish_and_what_waits_is_left(queue: HybridQueue, kind: str) -> None:
    busy = Busy()
    first, second = put(queue), put(queue)
    with running(queue, handlers={"default": getattr(busy, kind)}, max_workers=1, shutdown_timeout=LIMIT) as worker:
        assert busy.begun.acquire(timeout=LIMIT)
        worker.stop(wait=False)
        eventually(lambda: not worker.running)
        assert worker.get_stats()["state"] == "draining"
        busy.go_on.set()
        assert worker.join(LIMIT)
    assert (look(queue, first).status, look(queue, first).result) == (TaskStatus.COMPLETED, "done")
    assert look(queue, second).status is TaskStatus.PENDING


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
@pytest.mark.parametrize("patience", [0.0, 0.05])
def test_what_does_not_finish_in_time_is_given_back(queue: HybridQueue, kind: str, patience: float) -> None:
    busy = Busy()
    tasks = [put(queue) for _ in range(4)]
    with running(queue, handlers={"default": getattr(busy, kind)}, max_workers=4, shutdown_timeout=patience):
        for _ in tasks:
            assert busy.begun.acquire(timeout=LIMIT)
    busy.go_on.set()
    for task in tasks:
        after = look(queue, task)
        assert (after.status, after.retry_count, after.crashes) == (TaskStatus.PENDING, 0, 0)
    assert {change.event for change in changes(queue)} >= {"released"}
    assert not {change.event for change in changes(queue)} & {"completed", "retrying", "lease_expired"}


def test_what_was_given_back_is_run_by_the_next_worker(queue: HybridQueue) -> None:
    busy = Busy()
    task = put(queue, max_retries=0)
    with running(queue, handlers={"default": busy.plain}, shutdown_timeout=0.0):
        assert busy.begun.acquire(timeout=LIMIT)
    with running(queue, handlers={"default": lambda _: "second try"}):
        assert queue.wait_result(task.task_id, LIMIT) == "second try"
    assert look(queue, task).attempt == 2


def test_a_handler_that_reacts_as_it_is_given_back_costs_no_crash(queue: HybridQueue) -> None:
    """Whoever is quicker, the handler that is told to stop or the release: the task is there at once."""
    for _ in range(20):
        busy = Busy()
        task = put(queue)
        with running(queue, handlers={"default": busy.plain}, max_workers=1, shutdown_timeout=0.0):
            assert busy.begun.acquire(timeout=LIMIT)
        after = look(queue, task)
        assert (after.status, after.crashes) == (TaskStatus.PENDING, 0)
        queue.cancel(task.task_id)


def test_stop_without_wait_returns_at_once(queue: HybridQueue) -> None:
    busy = Busy()
    with running(queue, handlers={"default": busy.plain}, shutdown_timeout=LIMIT) as worker:
        put(queue)
        assert busy.begun.acquire(timeout=LIMIT)
        begin = time.monotonic()
        worker.stop(wait=False)
        assert time.monotonic() - begin < 5
        assert worker.join(0.05) is False
        busy.go_on.set()
        assert worker.join(LIMIT) is True


def test_a_second_stop_hurries_the_first(queue: HybridQueue) -> None:
    busy = Busy()
    with running(queue, handlers={"default": busy.plain}, shutdown_timeout=10 * LIMIT) as worker:
        task = put(queue)
        assert busy.begun.acquire(timeout=LIMIT)
        worker.stop(wait=False)
        begin = time.monotonic()
        worker.stop(timeout=0.0)
        assert time.monotonic() - begin < LIMIT
    assert look(queue, task).status is TaskStatus.PENDING


def test_a_start_while_it_stops_comes_after_it(queue: HybridQueue) -> None:
    busy = Busy()
    worker = Worker(queue, WorkerConfig(shutdown_timeout=LIMIT))
    worker.register_handler("default", busy.plain)
    worker.start()
    first = worker.worker_id
    task = put(queue)
    assert busy.begun.acquire(timeout=LIMIT)
    worker.stop(wait=False)
    busy.go_on.set()
    worker.start()
    try:
        assert worker.running
        assert worker.worker_id != first
        finished(queue, [task, put(queue)])
    finally:
        worker.stop()


def test_nothing_is_claimed_once_a_stop_has_begun(queue: HybridQueue) -> None:
    busy = Busy()
    with running(queue, handlers={"default": busy.plain}, max_workers=2, shutdown_timeout=LIMIT) as worker:
        put(queue)
        assert busy.begun.acquire(timeout=LIMIT)
        worker.stop(wait=False)
        eventually(lambda: not worker.running)
        late = put(queue)
        busy.go_on.set()
        assert worker.join(LIMIT)
    assert look(queue, late).attempt == 0


def test_what_a_worker_is_given_while_it_stops_goes_back_at_once(
    queue: HybridQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, go_on, ran = threading.Event(), threading.Event(), threading.Event()

    def slowly(verb: Callable[..., Any], claimed: Callable[[Any], Claim]) -> Callable[..., Any]:
        def slow(*arguments: Any) -> Any:
            answer = verb(*arguments)
            if claimed(answer).tasks:
                given.set()
                go_on.wait(LIMIT)
            return answer

        return slow

    storage = queue.storage
    monkeypatch.setattr(storage, "exchange", slowly(storage.exchange, lambda answer: answer.claim))
    monkeypatch.setattr(storage, "await_claim", slowly(storage.await_claim, lambda answer: answer))
    with running(queue, handlers={"default": lambda _: ran.set()}) as worker:
        task = put(queue)
        assert given.wait(LIMIT)
        worker.stop(wait=False)
        eventually(lambda: not worker.running)
        go_on.set()
        assert worker.join(LIMIT)
    assert look(queue, task).status is TaskStatus.PENDING
    assert not ran.is_set()
