"""Time limits of handlers, and how many of them run at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import TaskStatus
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.errors import TimeLimitExceeded
from distributed_queue.tests.steps import AT_ONCE, LIMIT, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


def loop_in_python(_: object) -> None:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        pass


async def wait_on_loop(_: object) -> None:
    await asyncio.sleep(LIMIT)


class TestTimeLimit:
    @pytest.mark.parametrize("handler", [loop_in_python, wait_on_loop])
    def test_a_handler_that_runs_too_long_is_stopped_and_fails(self, queue: HybridQueue, handler: Any) -> None:
        begin = time.monotonic()
        with running(queue, handlers={"default": handler}):
            (dead,) = finished(queue, [put(queue, timeout=0.1, max_retries=1)])
        assert time.monotonic() - begin < LIMIT / 2
        assert (dead.status, dead.attempt, dead.retry_count) == (TaskStatus.DEAD, 2, 2)
        assert str(dead.error).startswith("TimeLimitExceeded")

    def test_the_limit_of_the_type_holds_for_tasks_without_one(self, queue: HybridQueue) -> None:
        worker = Worker(queue, WorkerConfig())
        worker.register_handler("default", loop_in_python, timeout=0.1, retry=AT_ONCE)
        worker.start()
        try:
            (dead,) = finished(queue, [put(queue, max_retries=0)])
        finally:
            worker.stop()
        assert str(dead.error).startswith("TimeLimitExceeded")

    def test_a_handler_may_tidy_up_and_finish_all_the_same(self, queue: HybridQueue) -> None:
        def handler(_: object) -> str:
            try:
                loop_in_python(_)
            except TimeLimitExceeded:
                return "what I had by then"
            return "never"

        with running(queue, handlers={"default": handler}):
            assert queue.wait_result(put(queue, timeout=0.1).task_id, LIMIT) == "what I had by then"

    def test_a_handler_that_is_in_time_is_left_alone(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: data}):
            tasks = [put(queue, number, timeout=60) for number in range(100)]
            assert [task.result for task in finished(queue, tasks)] == list(range(100))

    def test_a_handler_stuck_in_a_call_gets_its_slot_replaced(
        self, queue: HybridQueue, caplog: pytest.LogCaptureFixture
    ) -> None:
        stuck = threading.Event()

        def handler(data: str) -> str:
            if data == "stuck":
                stuck.wait(LIMIT)
            return data

        with running(queue, handlers={"default": handler}, max_workers=1, stuck_seconds=0.1):
            hanging = put(queue, "stuck", timeout=0.1, max_retries=0)
            following = put(queue, "next")
            assert queue.wait_result(following.task_id, LIMIT / 2) == "next"
            dead = look(queue, hanging)
            stuck.set()
        assert (dead.status, str(dead.error)[:17]) == (TaskStatus.DEAD, "TimeLimitExceeded")
        assert "its slot is replaced" in caplog.text

    def test_an_async_handler_that_will_not_stop_makes_room_for_others(self, queue: HybridQueue) -> None:
        over = threading.Event()

        async def handler(data: str) -> str:
            while data == "stubborn" and not over.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)
            return data

        with running(queue, handlers={"default": handler}, max_workers=1, stuck_seconds=0.1):
            hanging = put(queue, "stubborn", timeout=0.1, max_retries=0)
            following = put(queue, "next")
            assert queue.wait_result(following.task_id, LIMIT) == "next"
            assert look(queue, hanging).status is TaskStatus.DEAD
            over.set()

    @pytest.mark.parametrize("kind", ["thread", "loop"])
    def test_those_that_are_stuck_are_counted_until_they_end(self, queue: HybridQueue, kind: str) -> None:
        over = threading.Event()

        def in_a_thread(_: object) -> None:
            over.wait(LIMIT)

        async def on_the_loop(_: object) -> None:
            while not over.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

        handler = {"thread": in_a_thread, "loop": on_the_loop}[kind]
        with running(queue, handlers={"default": handler}, max_workers=2, stuck_seconds=0.05) as worker:
            finished(queue, [put(queue, "stuck", timeout=0.05, max_retries=0) for _ in range(3)])
            eventually(lambda: worker.get_stats()["stuck"] == 3)
            eventually(lambda: [info.stuck for info in queue.workers()] == [3])
            over.set()
            eventually(lambda: worker.get_stats()["stuck"] == 0)
            assert not worker.worn_out

    def test_a_worker_with_too_many_of_them_stops_and_gives_its_tasks_back(self, queue: HybridQueue) -> None:
        over = threading.Event()

        def handler(data: str) -> str:
            if data == "stuck":
                over.wait(LIMIT)
            return data

        with running(
            queue, handlers={"default": handler}, max_workers=1, stuck_seconds=0.05, max_stuck=2, shutdown_timeout=5.0
        ) as worker:
            stuck = [put(queue, "stuck", timeout=0.05, max_retries=0) for _ in range(2)]
            finished(queue, stuck)
            assert worker.join(LIMIT)
            assert worker.worn_out
            late = put(queue, "next")
            over.set()
            assert look(queue, late).status is TaskStatus.PENDING
            worker.start()
            assert queue.wait_result(late.task_id, LIMIT) == "next"
            assert not worker.worn_out


class Gauge:
    """How many run at the same time, at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


class TestSlots:
    @pytest.mark.parametrize("kinds", [("plain",), ("loop",), ("plain", "loop")])
    @pytest.mark.parametrize("slots", [1, 3])
    def test_no_more_handlers_run_at_a_time_than_there_are_slots(
        self, queue: HybridQueue, slots: int, kinds: tuple[str, ...]
    ) -> None:
        gauge = Gauge()

        def plain(_: object) -> None:
            with gauge:
                pass

        async def on_loop(_: object) -> None:
            with gauge:
                await asyncio.sleep(0)

        handlers = {kind: plain if kind == "plain" else on_loop for kind in kinds}
        tasks = [put(queue, {"type": kinds[number % len(kinds)]}) for number in range(300)]
        with running(queue, handlers=handlers, max_workers=slots):
            finished(queue, tasks)
        assert 1 <= gauge.most <= slots

    def test_all_slots_are_used(self, queue: HybridQueue) -> None:
        together = threading.Barrier(4)
        with running(queue, handlers={"default": lambda _: together.wait(LIMIT)}, max_workers=4):
            tasks = [put(queue) for _ in range(4)]
            assert sorted(task.result for task in finished(queue, tasks)) == [0, 1, 2, 3]

    @pytest.mark.parametrize("kind", ["plain", "loop"])
    def test_scaling_up_takes_effect_at_once(self, queue: HybridQueue, kind: str) -> None:
        running_now, go_on = threading.Semaphore(0), threading.Event()

        def plain(_: object) -> None:
            running_now.release()
            go_on.wait(LIMIT)

        async def on_loop(_: object) -> None:
            running_now.release()
            await asyncio.to_thread(go_on.wait, LIMIT)

        with running(queue, handlers={"default": plain if kind == "plain" else on_loop}, max_workers=1) as worker:
            tasks = [put(queue) for _ in range(3)]
            assert running_now.acquire(timeout=LIMIT)
            assert not running_now.acquire(timeout=0.05)
            worker.scale(3)
            assert running_now.acquire(timeout=LIMIT)
            assert running_now.acquire(timeout=LIMIT)
            go_on.set()
            finished(queue, tasks)

    def test_scaling_down_and_up_again_leaves_all_slots(self, queue: HybridQueue) -> None:
        together = threading.Barrier(5)
        with running(queue, handlers={"default": lambda data: together.wait(LIMIT) if data else None}) as worker:
            worker.scale(5)
            finished(queue, [put(queue, False) for _ in range(50)])
            for slots in (1, 5, 2, 5):
                worker.scale(slots)
            assert len(finished(queue, [put(queue, True) for _ in range(5)])) == 5

    def test_scaling_down_lets_what_runs_finish(self, queue: HybridQueue) -> None:
        gauge, go_on, begun = Gauge(), threading.Event(), threading.Semaphore(0)

        def handler(data: bool) -> None:
            with gauge:
                begun.release()
                if data:
                    go_on.wait(LIMIT)

        with running(queue, handlers={"default": handler}, max_workers=3) as worker:
            first = [put(queue, True) for _ in range(3)]
            for _ in first:
                assert begun.acquire(timeout=LIMIT)
            worker.scale(1)
            go_on.set()
            finished(queue, first)
            gauge.most = 0
            finished(queue, [put(queue, False) for _ in range(100)])
            assert gauge.most == 1
