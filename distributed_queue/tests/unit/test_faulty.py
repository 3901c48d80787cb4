"""A storage that fails where a test tells it to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import DistributedQ, Task
from distributed_queue.errors import ConfigurationError, QueueFull, StorageUnavailable
from distributed_queue.testing import FaultyStorage, InlineWorker
from distributed_queue.tests.steps import finished, put, running, take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.hybrid_queue import HybridQueue


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage()


@pytest.fixture
def queue(storage: FaultyStorage) -> Iterator[HybridQueue]:
    with storage.queue() as queue:
        yield queue


class TestFailing:
    def test_before_the_step_nothing_is_done(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        storage.fail("enqueue")
        with pytest.raises(StorageUnavailable, match="the request was lost"):
            queue.put(Task(1, {}))
        assert queue.size() == 0
        put(queue)
        assert queue.size() == 1

    def test_after_the_step_it_is_done_and_the_caller_cannot_know(
        self, storage: FaultyStorage, queue: HybridQueue
    ) -> None:
        storage.fail("enqueue", when="after")
        with pytest.raises(StorageUnavailable, match="the reply was lost"):
            queue.put(Task(1, {}))
        assert queue.size() == 1

    def test_the_nth_call_and_as_many_as_were_asked_for(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        put(queue)
        storage.fail("enqueue", nth=2, times=2)
        outcomes = []
        for _ in range(4):
            try:
                outcomes.append(queue.put(Task(1, {})))
            except StorageUnavailable:
                outcomes.append(False)
        assert outcomes == [True, False, False, True]
        assert storage.calls("enqueue") == 5

    def test_an_error_of_ones_own(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        storage.fail("enqueue", error=QueueFull("default", 10, 10, 1.0))
        assert queue.put(Task(1, {}), block=False) is False

    def test_claims_and_settlements_are_told_apart(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        task = put(queue)
        storage.fail("settle")
        take(queue)
        with pytest.raises(StorageUnavailable):
            queue.mark_completed(task.task_id)
        assert queue.mark_completed(task.task_id) is True

    def test_what_is_healed_works(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        storage.fail("enqueue", times=100)
        storage.heal()
        put(queue)

    @pytest.mark.parametrize(
        ("operation", "options"),
        [("put", {}), ("close", {}), ("enqueue", {"nth": 0}), ("enqueue", {"times": 0}), ("enqueue", {"when": "now"})],
    )
    def test_what_makes_no_sense_is_refused(
        self, storage: FaultyStorage, queue: HybridQueue, operation: str, options: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigurationError, match="makes no sense"):
            storage.fail(operation, **options)


class TestWorkers:
    def test_a_worker_goes_on_after_replies_were_lost(self, storage: FaultyStorage, queue: HybridQueue) -> None:
        storage.fail("settle", when="after")
        storage.fail("claim", nth=2)
        with running(queue, handlers={"add": lambda data: data + 1}, poll_interval=0.01):
            tasks = finished(queue, [put(queue, {"type": "add", "data": number}) for number in range(3)])
        assert [task.result for task in tasks] == [1, 2, 3]

    def test_what_an_inline_worker_cannot_report_runs_again_when_its_lease_is_over(self) -> None:
        app = DistributedQ("redis://localhost:1/0")
        ran: list[int] = []

        @app.task
        def charge(order_id: int) -> None:
            ran.append(order_id)

        with InlineWorker(app) as worker:
            handle = charge.submit(7)
            worker.storage.fail("settle")
            worker.run()
            task = handle.task()
            assert task is not None
            assert (str(task.status), ran) == ("processing", [7])
            worker.advance(hours=1)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.crashes, ran) == ("completed", 1, [7, 7])
