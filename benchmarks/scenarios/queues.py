"""The same tasks in one queue, and spread over many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Point, Sample
from benchmarks.load import BATCH, measured, new_task, per_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

QUEUES = (1, 10, 100, 1_000)
TASKS = 20_000


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Worked off by a worker that takes from all queues; the clock includes its start, since that finds them."""
    count = scale.count(TASKS)
    for number in (number for number in QUEUES if number < count):
        names = [f"queue-{index}" for index in range(number)]
        with place.session(queues=None) as session:
            queue, worker = session.queue, session.worker
            each = count // number
            for name in names:
                for start in range(0, each, BATCH):
                    queue.put_many([new_task("noop", name) for _ in range(min(BATCH, each - start))])
            worker.mark(each * number)
            with measured(place) as cost:
                worker.start()
                seconds = worker.finish()
        cpu = Cpu(None, per_task(seconds, each * number), per_task(cost.storage, each * number))
        first = "" if number == 1 else "processed from 1 queue"
        words = "1 queue" if number == 1 else f"{number:,} queues"
        point = Point("processed, by number of queues", number)
        yield Sample(f"processed from {words}", each * number / cost.wall, "tasks/s", cpu, first, point)
