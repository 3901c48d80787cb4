"""A storage that goes away while workers run."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.errors import StorageUnavailable
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.steps import LIMIT, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that keeps its data over a restart."""
    with RedisServer(tmp_path / "redis", appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def queue(server: RedisServer) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(server.url) as queue:
        yield queue


def put_once_it_is_back(queue: HybridQueue, task: Task) -> None:
    end = time.monotonic() + LIMIT
    while True:
        try:
            queue.put(task)
        except StorageUnavailable:
            assert time.monotonic() < end
            time.sleep(0.02)
        else:
            return


def test_work_finished_during_the_outage_is_reported_afterwards(
    queue: HybridQueue, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on, ran = threading.Event(), threading.Event(), threading.Event()

    def handler(_: object) -> str:
        begun.set()
        go_on.wait(LIMIT)
        ran.set()
        return "kept"

    with running(queue, handlers={"default": handler}, queues=["default"]):
        task = put(queue)
        assert begun.wait(LIMIT)
        server.kill()
        go_on.set()
        assert ran.wait(LIMIT)
        eventually(lambda: "goes on trying" in caplog.text)
        server.start()
        assert queue.wait_result(task.task_id, LIMIT) == "kept"
        assert look(queue, task).attempt == 1
        eventually(lambda: "is back" in caplog.text)
    assert f"127.0.0.1:{server.port}" in caplog.text


def test_an_idle_worker_takes_new_work_within_five_seconds(queue: HybridQueue, server: RedisServer) -> None:
    with running(queue, handlers={"default": lambda _: time.monotonic()}, queues=["default"]):
        finished(queue, [put(queue)])
        server.restart(kill=True)
        back = time.monotonic()
        task = Task(1, None)
        put_once_it_is_back(queue, task)
        assert queue.wait_result(task.task_id, LIMIT) - back < 5.0


def test_a_worker_stops_while_the_storage_is_away(queue: HybridQueue, server: RedisServer) -> None:
    with running(queue, handlers={"default": lambda data: data}) as worker:
        finished(queue, [put(queue)])
        server.kill()
        worker.stop()
        assert not worker.running
    server.start()


def test_a_worker_cannot_start_while_the_storage_is_away_and_can_later(queue: HybridQueue, server: RedisServer) -> None:
    with running(queue, handlers={"default": lambda data: data}) as worker:
        worker.stop()
        server.kill()
        with pytest.raises(StorageUnavailable):
            worker.start()
        assert not worker.running
        server.start()
        worker.start()
        (done,) = finished(queue, [put(queue)])
        assert done.status is TaskStatus.COMPLETED
