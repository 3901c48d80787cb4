"""Where the handlers of a worker are, told to whoever asks; and what its process takes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.storage import ClaimedTask, Command
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.core.worker.attempt import Attempt
from distributed_queue.core.worker.inspection import FRAME_BYTES, KEPT_SECONDS, MOST_FRAMES, MOST_STACKS, Inspection
from distributed_queue.core.worker.usage import CpuShare, resident_bytes
from distributed_queue.errors import HandlerError
from distributed_queue.tests.steps import LIMIT, eventually, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import TaskStack, WorkerInfo


@pytest.fixture
def queue() -> Iterator[HybridQueue]:
    with HybridQueue() as queue:
        yield queue


class Halt:
    """A place at which handlers stop until they are let go."""

    def __init__(self) -> None:
        self._reached = threading.Semaphore(0)
        self._go_on = threading.Event()

    def here(self, secret: str = "") -> None:
        self._reached.release()
        self._go_on.wait(LIMIT)

    async def there(self) -> None:
        self._reached.release()
        await asyncio.get_running_loop().create_future()

    def reached(self, times: int = 1) -> None:
        for _ in range(times):
            assert self._reached.acquire(timeout=LIMIT)

    def let_go(self) -> None:
        self._go_on.set()


@pytest.fixture
def halt() -> Iterator[Halt]:
    halt = Halt()
    yield halt
    halt.let_go()


def only(queue: HybridQueue) -> WorkerInfo:
    (worker,) = queue.workers()
    return worker


def inspected(queue: HybridQueue, worker: Worker) -> tuple[TaskStack, ...]:
    """What the worker reports once it has looked."""
    before = only(queue).inspections
    worker.inspect()
    eventually(lambda: only(queue).inspections > before)
    return only(queue).stacks


def test_a_handler_in_a_thread_is_shown_where_it_is(queue: HybridQueue, halt: Halt) -> None:
    def send(data: Any) -> None:
        halt.here(data)

    with running(queue, handlers={"send": send}) as worker:
        task = put(queue, {"type": "send", "data": "canary-7f3a"}, queue="mail", timeout=60.0)
        halt.reached()
        (stack,) = inspected(queue, worker)
        halt.let_go()
    assert (stack.queue, stack.task_id, stack.attempt) == ("mail", task.task_id, 1)
    assert stack.limit_seconds == pytest.approx(60.0, abs=1.0)
    assert 0 <= stack.seconds < LIMIT
    assert "test_worker_inspection.py" in stack.frames[0], "the handler itself comes first, not what called it"
    assert stack.frames[0].endswith("send")
    assert any(frame.endswith("here") for frame in stack.frames)
    assert stack.frames[-1].endswith("wait")
    assert "canary-7f3a" not in str(stack), "no values"
    assert not any(frame.startswith("/") for frame in stack.frames)


def test_a_coroutine_is_shown_down_to_what_it_waits_for(queue: HybridQueue, halt: Halt) -> None:
    async def inner() -> None:
        await halt.there()

    async def outer(_: object) -> None:
        await inner()

    with running(queue, handlers={"default": outer}) as worker:
        task = put(queue)
        halt.reached()
        (stack,) = inspected(queue, worker)
        queue.cancel(task.task_id)
    names = [frame.rpartition(".")[2].rpartition(" ")[2] for frame in stack.frames]
    assert names[:3] == ["outer", "inner", "there"]


def test_a_coroutine_that_blocks_the_loop_is_shown_where_it_blocks(queue: HybridQueue, halt: Halt) -> None:
    async def blocks(_: object) -> None:
        halt.here()

    with running(queue, handlers={"default": blocks}) as worker:
        put(queue)
        halt.reached()
        (stack,) = inspected(queue, worker)
        halt.let_go()
    assert stack.frames[0].endswith("blocks")
    assert stack.frames[-1].endswith("wait")


def in_a_child(_: object) -> None:
    threading.Event().wait(LIMIT)


def test_of_a_child_process_it_is_said_that_it_is_not_looked_into(queue: HybridQueue) -> None:
    worker = Worker(queue, WorkerConfig(shutdown_timeout=0.0))
    worker.register_handler("default", in_a_child, executor="process")
    worker.start()
    try:
        put(queue)
        eventually(lambda: worker.get_stats()["active_tasks"])
        (stack,) = inspected(queue, worker)
    finally:
        worker.stop()
    assert stack.frames == ()
    assert "child process" in stack.note


def test_a_handler_that_does_not_stop_is_shown_as_stuck(queue: HybridQueue, halt: Halt) -> None:
    def stubborn(_: object) -> None:
        with suppress(HandlerError):
            halt.here()
        halt.here()

    with running(queue, handlers={"default": stubborn}, stuck_seconds=0.05) as worker:
        task = put(queue, timeout=0.05, max_retries=0)
        eventually(lambda: worker.get_stats()["stuck"])
        (stack,) = inspected(queue, worker)
        halt.let_go()
    assert stack.stuck
    assert stack.task_id == task.task_id
    assert stack.frames[0].endswith("stubborn")


def test_another_process_may_ask(queue: HybridQueue, halt: Halt) -> None:
    with running(queue, handlers={"default": lambda _: halt.here()}) as worker:
        task = put(queue)
        halt.reached()
        queue.storage.command(worker.worker_id, Command(action="inspect"))
        eventually(lambda: [stack.task_id for stack in only(queue).stacks] == [task.task_id])
        halt.let_go()


def test_nothing_is_told_where_nobody_asked(queue: HybridQueue, halt: Halt) -> None:
    with running(queue, handlers={"default": lambda _: halt.here()}) as worker:
        put(queue)
        halt.reached()
        worker.pause()
        eventually(lambda: only(queue).active_tasks)
        assert only(queue).stacks == ()
        halt.let_go()


def test_what_is_told_is_bounded(queue: HybridQueue, halt: Halt) -> None:
    def deep(_: object, left: int = 100) -> None:
        return deep(_, left - 1) if left else halt.here()

    count = MOST_STACKS + 2
    with running(queue, handlers={"default": deep}, max_workers=count) as worker:
        for _ in range(count):
            put(queue)
        halt.reached(count)
        stacks = inspected(queue, worker)
        halt.let_go()
    assert len(stacks) == MOST_STACKS
    for stack in stacks:
        assert len(stack.frames) == MOST_FRAMES
        assert "frames further out" in stack.frames[0]
        assert stack.frames[-1].endswith("wait")
        assert all(len(frame.encode()) <= FRAME_BYTES for frame in stack.frames)


def test_stacks_are_told_for_a_while_only(halt: Halt) -> None:
    now = 0.0
    attempt = Attempt(ClaimedTask("mail", "t1", 1, 100, b"", 0, 0, 0.0, 0.0), 60.0)

    def run() -> None:
        attempt.begin()
        halt.here()

    thread = threading.Thread(target=run)
    thread.start()
    halt.reached()
    inspection = Inspection(lambda: [attempt], list, lambda: now)
    assert inspection.report() == (0, ())
    inspection.take()
    halt.let_go()
    thread.join(LIMIT)
    taken, (stack,) = inspection.report()
    assert (taken, stack.task_id) == (1, attempt.claimed.id)
    now = KEPT_SECONDS - 0.001
    assert inspection.report() == (1, (stack,))
    now = KEPT_SECONDS
    assert inspection.report() == (1, ())


def test_a_worker_tells_what_its_process_takes(queue: HybridQueue) -> None:
    with running(queue):
        worker = only(queue)
        assert worker.memory_bytes > 1 << 20
        assert worker.cpu_share >= 0
    assert resident_bytes(0x7FFFFFFF) == 0, "nothing is known of a process that is not there"


def test_processor_time_counts_since_the_last_look() -> None:
    share = CpuShare()
    sum(range(200_000))
    assert share.measure() > 0
