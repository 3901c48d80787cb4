"""What operators tell workers, from this process and from others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import TaskStatus
from distributed_queue.core.storage import Command
from distributed_queue.tests.steps import LIMIT, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.worker import Worker


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


def tell(queue: HybridQueue, /, worker: Worker, action: Any, **details: Any) -> None:
    """Leave a command as another process would: the worker takes it with its next beat."""
    queue.storage.command(worker.worker_id, Command(action=action, **details))


class TestFromHere:
    def test_a_paused_worker_claims_nothing_until_it_is_resumed(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: data}) as worker:
            finished(queue, [put(queue)])
            worker.pause()
            eventually(lambda: worker.get_stats()["paused"])
            task = put(queue)
            assert queue.storage.wait(["default"], 0.05) == ("default",)
            assert look(queue, task).status is TaskStatus.PENDING
            assert worker.is_claiming()
            worker.resume()
            finished(queue, [task])

    def test_a_paused_worker_finishes_what_runs(self, queue: HybridQueue) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def handler(_: object) -> None:
            begun.set()
            go_on.wait(LIMIT)

        with running(queue, handlers={"default": handler}) as worker:
            task = put(queue)
            assert begun.wait(LIMIT)
            worker.pause()
            go_on.set()
            finished(queue, [task])

    def test_a_worker_paused_before_its_start_stays_so(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: data}) as worker:
            worker.pause()
            worker.stop()
            worker.start()
            task = put(queue)
            assert queue.storage.wait(["default"], 0.05) == ("default",)
            worker.resume()
            finished(queue, [task])


class TestFromElsewhere:
    def test_pause_and_resume(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: data}) as worker:
            tell(queue, worker, "pause")
            eventually(lambda: worker.get_stats()["paused"])
            task = put(queue)
            assert look(queue, task).status is TaskStatus.PENDING
            tell(queue, worker, "resume")
            finished(queue, [task])

    def test_scale(self, queue: HybridQueue) -> None:
        together = threading.Barrier(3)
        with running(queue, handlers={"default": lambda _: together.wait(LIMIT)}, max_workers=1) as worker:
            tell(queue, worker, "scale", max_workers=3)
            eventually(lambda: worker.get_stats()["max_workers"] == 3)
            finished(queue, [put(queue) for _ in range(3)])
            eventually(lambda: [info.max_workers for info in queue.workers()] == [3])

    def test_a_senseless_scale_harms_nobody(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: data}) as worker:
            tell(queue, worker, "scale", max_workers=0)
            tell(queue, worker, "pause")
            eventually(lambda: worker.get_stats()["paused"])
            tell(queue, worker, "resume")
            finished(queue, [put(queue)])
            assert worker.get_stats()["max_workers"] == 10

    def test_stop(self, queue: HybridQueue) -> None:
        with running(queue) as worker:
            tell(queue, worker, "stop")
            assert worker.join(LIMIT)
            assert queue.workers() == []

    def test_cancel(self, queue: HybridQueue) -> None:
        begun = threading.Event()

        def handler(_: object) -> None:
            begun.set()
            end = time.monotonic() + LIMIT
            while time.monotonic() < end:
                pass

        with running(queue, handlers={"default": handler}) as worker:
            task = put(queue)
            assert begun.wait(LIMIT)
            queue.storage.cancel("default", [task.task_id])
            tell(queue, worker, "cancel", queue="default", task_id=task.task_id)
            (ended,) = finished(queue, [task], LIMIT / 2)
        assert ended.status is TaskStatus.CANCELLED

    def test_a_cancel_for_another_queue_is_not_for_this_task(self, queue: HybridQueue) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def handler(_: object) -> str:
            begun.set()
            end = time.monotonic() + LIMIT
            while not go_on.is_set() and time.monotonic() < end:
                pass
            return "done"

        with running(queue, handlers={"default": handler}) as worker:
            task = put(queue, queue="a", task_id="same")
            assert begun.wait(LIMIT)
            tell(queue, worker, "cancel", queue="b", task_id="same")
            tell(queue, worker, "pause")
            eventually(lambda: worker.get_stats()["paused"])
            go_on.set()
            assert queue.wait_result(task.task_id, LIMIT) == "done"
