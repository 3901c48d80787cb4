"""Tasks that do nothing, worked off by one worker process that has been running for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Sample
from benchmarks.load import fill, measured, per_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

TASKS = 60_000
WARM_UP = 5_000
KEPT = 100
"""Finished tasks that a queue keeps, so that it forgets as many as it finishes: as all do in the long run."""


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """First while all finished tasks are kept, as in a queue's first hour; then while old ones are forgotten."""
    yield _drain(place, scale, "processed, one worker process", kept=None)
    yield _drain(place, scale, "processed, old ones forgotten", kept=KEPT)


def _drain(place: Place, scale: Scale, figure: str, *, kept: int | None) -> Sample:
    """From the moment that the full queue is released until the last outcome is stored."""
    warm_up, count = scale.count(WARM_UP), scale.count(TASKS)
    with place.session() as (queue, worker):
        if kept is not None:
            queue.configure(retention_count=kept)
        worker.start()
        worker.mark(warm_up)
        fill(queue, warm_up)
        worker.finish()

        queue.pause()
        fill(queue, count)
        worker.mark(count)
        with measured(place) as cost:
            queue.resume()
            worker_seconds = worker.finish()
    cpu = Cpu(None, per_task(worker_seconds, count), per_task(cost.storage, count))
    reference = "raw: heap with a lock, in and out" if place.name == "memory" else ""
    return Sample(figure, count / cost.wall, "tasks/s", cpu, reference)
