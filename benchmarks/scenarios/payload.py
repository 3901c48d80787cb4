"""Small and large payloads, enqueued and processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Point, Sample
from benchmarks.load import BATCH, measured, per_task
from distributed_queue import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

ENVELOPE_BYTES = 24
"""What a payload takes beside its data, as JSON."""
SIZES = {"50 B": 50, "1 KiB": 1 << 10, "16 KiB": 16 << 10, "128 KiB": 128 << 10, "1 MiB": (1 << 20) - 100}
TASKS = 5_000
MOST_BYTES = 32 << 20
BATCH_BYTES = 1 << 20


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """In batches of up to a mebibyte; then by a worker process."""
    for words, size in SIZES.items():
        count = max(8, min(scale.count(TASKS), MOST_BYTES // size))
        batch = max(1, min(BATCH, BATCH_BYTES // size))
        payload = {"type": "noop", "data": "x" * (size - ENVELOPE_BYTES)}
        with place.session() as session:
            queue, worker = session.queue, session.worker
            with measured(place) as cost:
                for start in range(0, count, batch):
                    queue.put_many([Task(100, payload) for _ in range(min(batch, count - start))])
            cpu = Cpu(per_task(cost.client, count), None, per_task(cost.storage, count))
            point = Point("enqueued, by size of the payload", size)
            yield Sample(f"enqueued, payload of {words}", count / cost.wall, "tasks/s", cpu, point=point)
            worker.mark(count)
            with measured(place) as cost:
                worker.start()
                seconds = worker.finish()
        cpu = Cpu(None, per_task(seconds, count), per_task(cost.storage, count))
        point = Point("processed, by size of the payload", size)
        yield Sample(f"processed, payload of {words}", count / cost.wall, "tasks/s", cpu, point=point)
