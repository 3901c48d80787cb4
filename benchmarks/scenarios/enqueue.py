"""Tasks enqueued by one thread, one by one and in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Sample
from benchmarks.load import BATCH, fill, measured, new_task, per_task
from distributed_queue import HybridQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

SINGLE = 10_000
BATCHED = 100_000


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Each way into an empty queue."""
    with HybridQueue.from_url(place.fresh()) as queue:
        count = scale.count(SINGLE)
        with measured(place) as cost:
            for _ in range(count):
                queue.put(new_task())
        cpu = Cpu(per_task(cost.client, count), None, per_task(cost.storage, count))
        yield Sample("enqueued, one by one", count / cost.wall, "tasks/s", cpu, "raw: one by one")

    with HybridQueue.from_url(place.fresh()) as queue:
        count = scale.count(BATCHED)
        with measured(place) as cost:
            fill(queue, count)
        cpu = Cpu(per_task(cost.client, count), None, per_task(cost.storage, count))
        yield Sample(f"enqueued, batches of {BATCH}", count / cost.wall, "tasks/s", cpu, f"raw: batches of {BATCH}")
