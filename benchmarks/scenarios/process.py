"""Tasks that do nothing, worked off by one worker process that has been running for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Sample
from benchmarks.load import BATCH, fill, measured, per_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

TASKS = 40_000
WARM_UP = 5_000
KEPT = 100
"""Finished tasks that a queue keeps, so that it forgets as many as it finishes: as all do in the long run."""


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """While all finished tasks are kept, as in a queue's first hour; while old ones are forgotten; with results."""
    yield _drain(place, scale, "processed, one worker process")
    yield _drain(place, scale, "processed, old ones forgotten", kept=KEPT)
    yield _drain(place, scale, "processed, results stored", kind="echo")


def _drain(place: Place, scale: Scale, figure: str, *, kept: int | None = None, kind: str = "noop") -> Sample:
    """From the moment that the full queue is released until the last outcome is stored."""
    warm_up, count = scale.count(WARM_UP), scale.count(TASKS)
    with place.session() as session:
        queue, worker = session.queue, session.worker
        if kept is not None:
            queue.configure(retention_count=kept)
        worker.start()
        worker.mark(warm_up)
        fill(queue, warm_up, kind)
        worker.finish()

        queue.pause()
        fill(queue, count, kind)
        worker.mark(count)
        with measured(place) as cost:
            queue.resume()
            worker_seconds = worker.finish()
    cpu = Cpu(None, per_task(worker_seconds, count), per_task(cost.storage, count))
    reference = "raw: heap with a lock, in and out" if place.engine == "memory" else f"raw: batches of {BATCH}"
    return Sample(figure, count / cost.wall, "tasks/s", cpu, reference)
