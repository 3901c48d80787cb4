"""Cancelling tasks that run, and what races with it."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.core.storage import ClaimRequest, Outcome
from distributed_queue.core.worker.attempt import Attempt
from distributed_queue.core.worker.children import Children
from distributed_queue.core.worker.config import WorkerConfig
from distributed_queue.core.worker.context import current_task
from distributed_queue.core.worker.handlers import HandlerTable
from distributed_queue.core.worker.runner import Runner
from distributed_queue.errors import TaskCancelled
from distributed_queue.tests.steps import LIMIT, changes, finished, put, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.core.storage import ClaimedTask


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


class Begun:
    """Handlers that say that they have begun, and then would run for long."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.told: list[BaseException] = []

    def plain(self, _: object) -> str:
        self.event.set()
        end = time.monotonic() + LIMIT
        try:
            while time.monotonic() < end:
                pass
        except BaseException as error:
            self.told.append(error)
            raise
        return "never"

    async def on_loop(self, _: object) -> str:
        self.event.set()
        try:
            await asyncio.sleep(LIMIT)
        except BaseException as error:
            self.told.append(error)
            raise
        return "never"


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
def test_a_running_handler_is_stopped(queue: HybridQueue, kind: str) -> None:
    begun = Begun()
    with running(queue, handlers={"default": getattr(begun, kind)}):
        task = put(queue)
        assert begun.event.wait(LIMIT)
        assert queue.cancel(task.task_id) is True
        (ended,) = finished(queue, [task], LIMIT / 2)
    assert (ended.status, ended.retry_count) == (TaskStatus.CANCELLED, 0)
    assert isinstance(begun.told[0], TaskCancelled if kind == "plain" else asyncio.CancelledError)


def test_another_process_can_cancel(shared_url: str) -> None:
    begun = Begun()
    with (
        HybridQueue.from_url(shared_url) as here,
        HybridQueue.from_url(shared_url) as there,
        running(here, handlers={"default": begun.plain}),
    ):
        task = put(here)
        assert begun.event.wait(LIMIT)
        assert there.cancel(task.task_id) is True
        (ended,) = finished(there, [task], LIMIT / 2)
    assert ended.status is TaskStatus.CANCELLED


def test_a_handler_that_finishes_all_the_same_is_completed(queue: HybridQueue) -> None:
    begun = threading.Event()

    def handler(_: object) -> str:
        begun.set()
        end = time.monotonic() + LIMIT
        try:
            while time.monotonic() < end:
                pass
        except TaskCancelled:
            return "too late to stop"
        return "never"

    with running(queue, handlers={"default": handler}):
        task = put(queue)
        assert begun.wait(LIMIT)
        queue.cancel(task.task_id)
        assert queue.wait_result(task.task_id, LIMIT) == "too late to stop"


def test_a_handler_that_fails_when_told_to_stop_is_cancelled_and_not_retried(queue: HybridQueue) -> None:
    begun = threading.Event()

    def handler(_: object) -> None:
        begun.set()
        end = time.monotonic() + LIMIT
        try:
            while time.monotonic() < end:
                pass
        except TaskCancelled:
            raise OSError("while tidying up") from None

    with running(queue, handlers={"default": handler}):
        task = put(queue)
        assert begun.wait(LIMIT)
        queue.cancel(task.task_id)
        (ended,) = finished(queue, [task])
    assert (ended.status, ended.attempt) == (TaskStatus.CANCELLED, 1)


def test_a_stuck_handler_is_cancelled_without_it(queue: HybridQueue) -> None:
    begun, stuck = threading.Event(), threading.Event()

    def handler(_: object) -> None:
        begun.set()
        stuck.wait(LIMIT)

    with running(queue, handlers={"default": handler}, stuck_seconds=0.1):
        task = put(queue)
        assert begun.wait(LIMIT)
        queue.cancel(task.task_id)
        (ended,) = finished(queue, [task], LIMIT / 2)
        stuck.set()
    assert ended.status is TaskStatus.CANCELLED


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
def test_interruptions_that_race_with_the_end_of_handlers_harm_nobody(queue: HybridQueue, kind: str) -> None:
    """Each task is cancelled, or out of time, about when it ends: whoever wins, it ends once, and no slot is lost."""
    chance = random.Random(7)

    def plain(data: float) -> str:
        end = time.monotonic() + data
        while time.monotonic() < end:
            pass
        return "done"

    async def on_loop(data: float) -> str:
        await asyncio.sleep(data)
        return "done"

    tasks: list[Task] = []
    with running(queue, handlers={"default": plain if kind == "plain" else on_loop}, max_workers=4) as worker:
        for number in range(150):
            work = chance.uniform(0.0005, 0.004)
            timeout = chance.choice([None, max(0.001, work + chance.uniform(-0.001, 0.001))])
            tasks.append(put(queue, work, timeout=timeout, max_retries=1))
            if number % 2:
                queue.cancel(chance.choice(tasks[-6:]).task_id)
        ended = finished(queue, tasks)
        allowed: dict[TaskStatus, Any] = {
            TaskStatus.COMPLETED: "done",
            TaskStatus.CANCELLED: None,
            TaskStatus.DEAD: None,
        }
        assert all(task.result == allowed[task.status] for task in ended)
        assert {task.error and task.error.partition(":")[0] for task in ended} <= {None, "TimeLimitExceeded"}
        probes = [put(queue, 0.0) for _ in range(20)]
        assert {task.result for task in finished(queue, probes)} == {"done"}
        assert worker.get_stats()["active_tasks"] == 0
    final = Counter(change.task_id for change in changes(queue) if change.event in ("completed", "dead", "cancelled"))
    assert set(final.values()) == {1}


class Interrupted(Attempt):
    """An attempt that is told to stop as soon as it has begun, before its handler is called."""

    __slots__ = ()

    def begin(self, *how: Any, **more: Any) -> bool:
        begun = super().begin(*how, **more)
        self.interrupt(TaskCancelled)
        return begun


def runner(ended: Callable[[Attempt], None], limited: Callable[[float], None]) -> Runner:
    handlers = HandlerTable()
    handlers.register("default", lambda data: data, timeout=60.0)
    return Runner(
        handlers,
        error_handler=None,
        ended=ended,
        limited=limited,
        keep_progress=lambda _: None,
        result_limit_bytes=1 << 20,
        children=Children(WorkerConfig()),
    )


def claimed() -> ClaimedTask:
    with HybridQueue() as queue:
        put(queue)
        (task,) = queue.storage.claim(ClaimRequest(("default",), "w", 1, 30.0)).tasks
        return task


def test_an_interruption_just_after_the_begin_is_the_outcome_and_spares_the_thread() -> None:
    ended: list[Attempt] = []
    runner(ended.append, lambda _: None).run(Interrupted(claimed(), time.monotonic() + 30))
    assert [attempt.settlement and attempt.settlement.outcome for attempt in ended] == [Outcome.CANCEL]


def test_nothing_is_raised_inside_of_the_workers_own_code() -> None:
    """Raised there, it left the keeper's lock taken: the worker stood still, and never stopped."""
    ended: list[Attempt] = []
    attempt = Attempt(claimed(), time.monotonic() + 30)
    told: list[bool] = []

    def limited(_: float) -> None:
        told.append(attempt.interrupt(TaskCancelled))
        told.extend(False for _ in range(1000))

    runner(ended.append, limited).run(attempt)
    assert not any(told)
    assert len(told) == 1001
    assert ended == [attempt]


def test_a_heartbeat_ends_a_handler_that_catches_everything(queue: HybridQueue) -> None:
    went_on, beats = threading.Event(), threading.Event()

    def stubborn(_: object) -> None:
        current_task().heartbeat()
        beats.set()
        try:
            while True:
                time.sleep(0.005)
        except BaseException:  # noqa: BLE001 - what a heartbeat is for
            current_task().heartbeat()
            went_on.set()

    with running(queue, handlers={"stubborn": stubborn}):
        task = put(queue, {"type": "stubborn"})
        assert beats.wait(LIMIT)
        queue.cancel(task.task_id)
        (ended,) = finished(queue, [task])
    assert (str(ended.status), went_on.is_set()) == ("cancelled", False)
