"""How late delayed tasks run, in a worker process that has nothing else to do."""

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

TASKS = 500
DELAY_SECONDS = (0.5, 1.5)


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Due at random times within a second."""
    count = scale.count(TASKS, least=50)
    with place.session() as session:
        session.worker.start()
        session.worker.mark(count)
        dues = [time.time() + random.uniform(*DELAY_SECONDS) for _ in range(count)]
        session.queue.put_many([Task(100, {"type": "delayed", "data": due}, execute_after=due) for due in dues])
        session.worker.finish()
        late = session.worker.latencies()
    for name, share in (("median", 0.5), ("99 %", 0.99)):
        yield Sample(f"lateness of delayed tasks, {name}", percentile(late, share) * 1000, "ms")
