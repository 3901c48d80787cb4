"""Several workers on one queue."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task
from distributed_queue.tests.steps import changes, finished, put, running


def test_slow_tasks_are_shared_evenly(shared_url: str) -> None:
    """Each worker holds what it runs, and hoards nothing: two with two slots do about half of the work each."""
    done: Counter[str] = Counter()
    with ExitStack() as stack:
        queues = [stack.enter_context(HybridQueue.from_url(shared_url)) for _ in range(2)]
        # Short ones first, so that a worker which learns to hold tasks in advance has learnt it.
        warm = [Task(0, "short") for _ in range(200)]
        slow = [Task(1, "slow") for _ in range(20)]
        queues[0].put_many(warm)
        for number, queue in enumerate(queues):

            def handler(data: str, number: int = number) -> None:
                if data == "slow":
                    time.sleep(0.1)
                    done[f"w{number}"] += 1

            stack.enter_context(running(queue, handlers={"default": handler}, max_workers=2, name=f"w{number}"))
        finished(queues[0], warm)
        queues[0].put_many(slow)
        finished(queues[0], slow)
    assert sum(done.values()) == 20
    assert min(done["w0"], done["w1"]) >= 6


@pytest.mark.parametrize("slots", [1, 10])
def test_two_workers_complete_each_task_once(storage_url: str, slots: int) -> None:
    runs: Counter[int] = Counter()
    lock = threading.Lock()

    def handler(data: int) -> None:
        with lock:
            runs[data] += 1

    tasks = [Task(1, number) for number in range(400)]
    with (
        HybridQueue.from_url(storage_url) as queue,
        running(queue, handlers={"default": handler}, max_workers=slots, name="a"),
        running(queue, handlers={"default": handler}, max_workers=slots, name="b"),
    ):
        queue.put_many(tasks)
        finished(queue, tasks)
        completed = Counter(change.task_id for change in changes(queue) if change.event == "completed")
    assert set(runs.values()) == {1}
    assert completed == Counter(task.task_id for task in tasks)


def test_the_concurrency_of_a_queue_holds_across_workers(storage_url: str) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def handler(_: object) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1

    with (
        HybridQueue.from_url(storage_url, concurrency=2) as queue,
        running(queue, handlers={"default": handler}, name="a"),
        running(queue, handlers={"default": handler}, name="b"),
    ):
        finished(queue, [put(queue) for _ in range(60)])
    assert 1 <= most[0] <= 2
