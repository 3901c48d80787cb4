"""Several worker processes that share a queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Point, Sample
from benchmarks.load import fill, measured, per_task
from distributed_queue import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place
    from distributed_queue import HybridQueue

WORKERS = (1, 2, 3, 4)
TASKS = 30_000
WARM_UP = 2_000
LOOK_SECONDS = 0.002


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """From one to four. The clock runs from the release of the full queue until the storage has nothing left to do."""
    warm_up, count = scale.count(WARM_UP), scale.count(TASKS)
    for number in WORKERS:
        with place.session(workers=number) as (queue, workers):
            for worker in workers:
                worker.start()
            fill(queue, warm_up)
            _wait_until_done(queue)

            queue.pause()
            fill(queue, count)
            before = [worker.cpu_seconds() for worker in workers]
            with measured(place) as cost:
                queue.resume()
                _wait_until_done(queue)
            used = sum(worker.cpu_seconds() for worker in workers) - sum(before)
        if place.engine == "memory":
            used /= number  # all of them are this process
        cpu = Cpu(None, per_task(used, count), per_task(cost.storage, count))
        point = Point("processed, by number of worker processes", number)
        first = "" if number == 1 else "processed, 1 worker process"
        words = "1 worker process" if number == 1 else f"{number} worker processes"
        yield Sample(f"processed, {words}", count / cost.wall, "tasks/s", cpu, first, point)


def _wait_until_done(queue: HybridQueue) -> None:
    while any(stats.depth or stats.counts[TaskStatus.PROCESSING] for stats in queue.queue_stats()):
        time.sleep(LOOK_SECONDS)
