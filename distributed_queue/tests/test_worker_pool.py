"""Pools of workers, and how they follow their backlog."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.worker import WorkerConfig, WorkerPool
from distributed_queue.core.worker.autoscale import Autoscaler, wanted_slots
from distributed_queue.errors import ConfigurationError
from distributed_queue.tests.steps import LIMIT, eventually, finished, put

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


@pytest.fixture
def pool(queue: HybridQueue) -> Iterator[WorkerPool]:
    pool = WorkerPool(queue)
    pool.register_handler("default", lambda data: data)
    yield pool
    pool.stop_all()


class TestWorkers:
    def test_workers_are_added_started_and_stopped_together(self, queue: HybridQueue, pool: WorkerPool) -> None:
        for name in ("a", "b"):
            pool.add_worker(WorkerConfig(name=name, max_workers=2))
        assert [worker.running for worker in pool.workers.values()] == [False, False]
        pool.start_all()
        assert [worker.running for worker in pool.workers.values()] == [True, True]
        assert len(finished(queue, [put(queue, number) for number in range(50)])) == 50
        pool.stop_all(wait=True)
        assert [worker.running for worker in pool.workers.values()] == [False, False]
        assert queue.workers() == []

    def test_a_worker_added_to_a_running_pool_works_at_once(self, queue: HybridQueue, pool: WorkerPool) -> None:
        pool.start_all()
        worker = pool.add_worker(WorkerConfig(name="late"))
        assert worker.running
        assert queue.wait_result(put(queue, "x").task_id, LIMIT) == "x"

    def test_a_handler_registered_later_reaches_every_worker(self, queue: HybridQueue, pool: WorkerPool) -> None:
        first = pool.add_worker(WorkerConfig(name="a"))
        pool.register_handler("mail", print)
        second = pool.add_worker(WorkerConfig(name="b"))
        assert set(first.handlers) == set(second.handlers) == {"default", "mail"}

    def test_a_name_is_taken_once(self, pool: WorkerPool) -> None:
        pool.add_worker(WorkerConfig(name="a"))
        with pytest.raises(ConfigurationError, match="'a'"):
            pool.add_worker(WorkerConfig(name="a"))
        assert list(pool.workers) == ["a"]

    def test_a_removed_worker_finishes_what_it_runs(self, queue: HybridQueue, pool: WorkerPool) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def handler(_: object) -> str:
            begun.set()
            go_on.wait(LIMIT)
            return "finished"

        pool.register_handler("slow", handler)
        worker = pool.add_worker(WorkerConfig(name="a"))
        pool.start_all()
        task = put(queue, {"type": "slow"})
        assert begun.wait(LIMIT)
        assert pool.remove_worker("a", wait=False) is True
        go_on.set()
        assert worker.join(LIMIT)
        assert queue.wait_result(task.task_id, LIMIT) == "finished"
        assert pool.workers == {}
        assert pool.remove_worker("a") is False

    def test_workers_stop_at_the_same_time(self, queue: HybridQueue, pool: WorkerPool) -> None:
        together = threading.Barrier(3)
        begun = threading.Semaphore(0)

        def handler(_: object) -> None:
            begun.release()
            together.wait(LIMIT)

        pool.register_handler("meet", handler)
        for name in ("a", "b"):
            pool.add_worker(WorkerConfig(name=name, max_workers=1, shutdown_timeout=LIMIT))
        pool.start_all()
        tasks = [put(queue, {"type": "meet"}) for _ in range(2)]
        for _ in tasks:
            assert begun.acquire(timeout=LIMIT)
        pool.stop_all(wait=False)
        together.wait(LIMIT)
        begin = time.monotonic()
        pool.stop_all()
        assert time.monotonic() - begin < LIMIT
        assert {str(task.status) for task in finished(queue, tasks)} == {"completed"}

    def test_figures_have_the_words_of_the_specification(self, pool: WorkerPool) -> None:
        pool.add_worker(WorkerConfig(name="a", max_workers=3))
        stats = pool.get_stats()
        assert stats["total_workers"] == 1
        assert stats["workers"]["a"]["max_workers"] == 3
        assert stats["workers"]["a"]["running"] is False

    def test_scale_changes_one_worker(self, pool: WorkerPool) -> None:
        pool.add_worker(WorkerConfig(name="a", max_workers=3))
        assert pool.scale("a", 7) is True
        assert pool.get_stats()["workers"]["a"]["max_workers"] == 7
        assert pool.scale("nobody", 7) is False
        with pytest.raises(ConfigurationError, match="max_workers"):
            pool.scale("a", 0)


class TestAutoscaleRule:
    @pytest.mark.parametrize(
        ("ready", "busy", "wanted"),
        [
            (0, 0, 2),  # never below the lowest
            (0, 5, 5),  # what is busy stays
            (1, 0, 2),
            (1, 5, 6),  # one more for the first task that waits
            (5, 5, 6),
            (6, 5, 7),
            (50, 0, 10),
            (1_000_000, 3, 20),  # never above the highest
            (0, 50, 20),
        ],
    )
    def test_one_slot_for_so_many_ready_tasks_beside_the_busy_ones(self, ready: int, busy: int, wanted: int) -> None:
        assert wanted_slots(ready, busy, 2, 20, 5.0) == wanted

    @pytest.mark.parametrize(
        ("measured", "applied"),
        [
            ((100, 0, 4), [16]),  # up at once
            ((0, 0, 16), [12]),  # down by a quarter
            ((0, 0, 3), [2]),
            ((0, 0, 2), []),  # nothing to do
            ((0, 14, 16), [14]),
        ],
    )
    def test_up_at_once_and_down_by_a_quarter(self, measured: tuple[int, int, int], applied: list[int]) -> None:
        seen: list[int] = []
        scaler = Autoscaler(lambda: measured, seen.append, lowest=2, highest=16, backlog_per_slot=5.0, interval=60.0)
        scaler.step()
        assert seen == applied


class TestAutoscale:
    def test_a_pool_grows_with_its_backlog_and_shrinks_after(self, queue: HybridQueue, pool: WorkerPool) -> None:
        go_on = threading.Event()
        pool.register_handler("slow", lambda _: go_on.wait(LIMIT))
        for name in ("a", "b"):
            pool.add_worker(WorkerConfig(name=name, max_workers=1))
        pool.start_all()
        tasks = [put(queue, {"type": "slow"}) for _ in range(40)]
        pool.autoscale(2, 8, backlog_per_slot=1.0, interval=0.02)

        def sizes() -> list[int]:
            return [worker.config.max_workers for worker in pool.workers.values()]

        eventually(lambda: sizes() == [4, 4])
        go_on.set()
        finished(queue, tasks)
        eventually(lambda: sizes() == [1, 1])

    def test_what_is_scheduled_for_later_needs_no_slots_yet(self, queue: HybridQueue, pool: WorkerPool) -> None:
        for _ in range(50):
            put(queue, delay=3600)
        pool.add_worker(WorkerConfig(name="a", max_workers=4))
        pool.start_all()
        pool.autoscale(1, 8, backlog_per_slot=1.0, interval=0.02)
        eventually(lambda: pool.workers["a"].config.max_workers == 1)

    @pytest.mark.parametrize(
        ("lowest", "highest", "options"),
        [
            (0, 5, {}),
            (6, 5, {}),
            (1, 20_000, {}),
            (1, 5, {"interval": 0}),
            (1, 5, {"backlog_per_slot": 0}),
        ],
    )
    def test_senseless_bounds_are_refused(
        self, pool: WorkerPool, lowest: int, highest: int, options: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigurationError):
            pool.autoscale(lowest, highest, **options)

    def test_it_ends_with_the_pool(self, pool: WorkerPool) -> None:
        pool.add_worker(WorkerConfig(name="a"))
        pool.start_all()
        pool.autoscale(1, 2, interval=0.01)
        pool.stop_all()
        eventually(lambda: not any(thread.name == "dq-autoscaler" for thread in threading.enumerate()))
