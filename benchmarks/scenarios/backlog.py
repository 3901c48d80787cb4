"""What claiming and settling cost while more and more tasks wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Point, Sample, percentile
from benchmarks.load import BATCH, fill
from distributed_queue import HybridQueue
from distributed_queue.core.storage import ClaimRequest, Outcome, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place
    from distributed_queue.core.storage import ClaimedTask

SIZES = (1_000, 10_000, 100_000, 1_000_000)
STEPS = 100
KEPT = 1_000


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """A worker's own steps, without a worker; as many are enqueued as are done, so that the backlog stays as it is."""
    rates, worst = "claimed and settled at a backlog of", "claim and settle, 99 %, at a backlog of"
    with HybridQueue.from_url(place.fresh()) as queue:
        queue.configure(retention_count=KEPT)
        waiting, first = 0, ""
        for size in (scale.count(size, least=1_000 * (number + 1)) for number, size in enumerate(SIZES)):
            fill(queue, size - waiting)
            waiting = size
            seconds = _steps(queue)
            yield _sample(
                f"{rates} {size:,}", STEPS * BATCH / sum(seconds), "tasks/s", first and f"{rates} {first}", size
            )
            slowest = percentile(seconds, 0.99) * 1000
            yield _sample(f"{worst} {size:,}", slowest, "ms", first and f"{worst} {first}", size)
            first = first or f"{size:,}"


def _sample(figure: str, value: float, unit: str, first: str, size: int) -> Sample:
    curve = figure.partition(" at a")[0].rstrip(",")
    return Sample(figure, value, unit, reference=first, point=Point(f"{curve}, by backlog", size))


def _steps(queue: HybridQueue) -> list[float]:
    """Seconds that each exchange took."""
    request = ClaimRequest(("default",), "bench", BATCH, 30.0)
    seconds: list[float] = []
    held: list[ClaimedTask] = queue.storage.claim(request).tasks
    for _ in range(STEPS):
        fill(queue, BATCH)
        settlements = [Settlement("default", task.id, task.attempt, Outcome.COMPLETE) for task in held]
        began = time.perf_counter()
        held = queue.storage.exchange(settlements, request).claim.tasks
        seconds.append(time.perf_counter() - began)
    queue.storage.settle([Settlement("default", task.id, task.attempt, Outcome.RELEASE) for task in held])
    return seconds
