"""The time from the call of ``put`` until the handler runs, in a worker process that has nothing else to do."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Sample, percentile
from distributed_queue import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place
    from distributed_queue import HybridQueue

IDLE = 200
IDLE_PAUSE_SECONDS = (0.01, 0.02)
STEADY = 2_000
STEADY_PER_SECOND = 500


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """First one task at a time, then an open loop: the next one is sent when it is due, whatever became of the last."""
    with place.session() as session:
        queue, worker = session.queue, session.worker
        worker.start()
        count = scale.count(IDLE, least=20)
        worker.mark(count)
        for _ in range(count):
            time.sleep(random.uniform(*IDLE_PAUSE_SECONDS))
            _put_timed(queue)
        worker.finish()
        yield from _samples("latency, idle", worker.latencies())

        count = scale.count(STEADY)
        worker.mark(count)
        began = time.perf_counter()
        for number in range(count):
            time.sleep(max(0.0, began + number / STEADY_PER_SECOND - time.perf_counter()))
            _put_timed(queue)
        worker.finish()
        yield from _samples(f"latency at {STEADY_PER_SECOND}/s", worker.latencies())


def _put_timed(queue: HybridQueue) -> None:
    queue.put(Task(priority=100, payload={"type": "timed", "data": time.monotonic()}))


def _samples(figure: str, latencies: list[float]) -> Iterator[Sample]:
    for name, share in (("median", 0.5), ("99 %", 0.99)):
        yield Sample(f"{figure}, {name}", percentile(latencies, share) * 1000, "ms")
