"""Room that a worker's process takes, and a waiting task: its state, its place, and its share of the journal."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks import ENVIRONMENT
from benchmarks.figures import Sample
from benchmarks.load import Scale, fill
from benchmarks.places import MemoryPlace
from benchmarks.processes import used_bytes
from distributed_queue import HybridQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place

TASKS = 30_000
WORKED = 10_000


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """A worker that has worked for a while; tasks with the journal, as by default, and without."""
    if not isinstance(place, MemoryPlace):
        yield Sample("memory of a worker process", _worker(place, scale.count(WORKED)) / 1e6, "MB")
    count = scale.count(TASKS, least=20_000)
    for journal, figure in ((True, "bytes per queued task"), (False, "bytes per queued task, journal off")):
        if isinstance(place, MemoryPlace):
            used = _in_a_process_of_its_own(count, journal=journal)
        else:
            used = growth(place, count, journal=journal)
        yield Sample(figure, used / count, "bytes")


def _worker(place: Place, count: int) -> int:
    with place.session() as session:
        session.worker.start()
        session.worker.mark(count)
        fill(session.queue, count)
        session.worker.finish()
        return used_bytes([session.worker.pid])


def growth(place: Place, count: int, *, journal: bool) -> int:
    """Bytes that the storage grows by with so many tasks."""
    with HybridQueue.from_url(place.fresh(), journal=journal) as queue:
        fill(queue, 100)  # what is there once: pages, scripts, buffers
        before = place.used_bytes()
        fill(queue, count)
        return place.used_bytes() - before


def _in_a_process_of_its_own(count: int, *, journal: bool) -> int:
    program = f"from benchmarks.scenarios.memory import print_growth; print_growth({count}, {journal})"
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout)


def print_growth(count: int, journal: bool) -> None:
    """Measure the memory engine in the process that calls."""
    print(growth(MemoryPlace(), count, journal=journal))
