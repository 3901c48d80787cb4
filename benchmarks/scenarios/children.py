"""Handlers that compute, in child processes: one child, then two, each beside as many plain processes."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Point, Sample
from benchmarks.load import measured, per_task
from distributed_queue import Task, TaskStatus, Worker, WorkerConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

CHILDREN = (1, 2)
TASKS = 200
ROUNDS = 400_000
"""Of a loop in Python: about 20 ms."""
LOOK_SECONDS = 0.02


def compute(rounds: int) -> int:
    """Keep a processor busy, and the interpreter's lock."""
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """The clock runs from the release of the full queue until the storage has nothing left to do."""
    count = scale.count(TASKS, least=20)
    for number in CHILDREN:
        raw, words = _plain(number, count), "1 child" if number == 1 else f"{number} children"
        yield Sample(
            f"raw: computed by {words}, no queue",
            count / raw,
            "tasks/s",
            reference="" if number == 1 else "raw: computed by 1 child, no queue",
        )
        wall, parent = _queued(place, number, count)
        yield Sample(
            f"computed by {words}",
            count / wall,
            "tasks/s",
            Cpu(None, per_task(parent, count), None),
            "" if number == 1 else "computed by 1 child",
            Point("computed, by number of child processes", number),
        )


def _queued(place: Place, number: int, count: int) -> tuple[float, float]:
    """Seconds by the clock, and of processor time of the worker itself."""
    config = WorkerConfig(name="bench", children=number, queues=["default"])
    with place.session(workers=0) as (queue, _):
        worker = Worker(queue, config)
        worker.register_handler("compute", compute, executor="process")
        worker.start()
        for size in (number, count):  # the first ones start the children
            queue.pause()
            queue.put_many(Task(priority=100, payload={"type": "compute", "data": ROUNDS}) for _ in range(size))
            with measured(place) as cost:
                queue.resume()
                while any(stats.depth or stats.counts[TaskStatus.PROCESSING] for stats in queue.queue_stats()):
                    time.sleep(LOOK_SECONDS)
        worker.stop()
    return cost.wall, cost.client


def _plain(number: int, count: int) -> float:
    with multiprocessing.get_context("spawn").Pool(number) as pool:
        pool.map(compute, [ROUNDS] * number, chunksize=1)
        began = time.perf_counter()
        pool.map(compute, [ROUNDS] * count, chunksize=1)
        return time.perf_counter() - began
