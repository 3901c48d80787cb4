"""From the start of a worker's process until its first task runs: one that waits in the storage already."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import ENVIRONMENT
from benchmarks.figures import Sample
from benchmarks.load import new_task
from benchmarks.places import MemoryPlace
from benchmarks.worker import WorkerProcess
from distributed_queue import HybridQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

ROUNDS = 3
IN_MEMORY = """
from benchmarks.load import new_task
from benchmarks.worker import LocalWorker
from distributed_queue import HybridQueue
with HybridQueue.from_url("memory://") as queue, LocalWorker(queue, None) as worker:
    worker.mark(1)
    worker.start()
    queue.put(new_task())
    worker.finish()
    print("done", flush=True)
"""


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Beside an interpreter that does nothing."""
    for _ in range(1 if scale.small else ROUNDS):
        yield Sample("raw: interpreter", _until_it_speaks("print()"), "s")
        yield Sample("first task after start", _first_task(place), "s", reference="raw: interpreter")


def _first_task(place: Place) -> float:
    if isinstance(place, MemoryPlace):
        return _until_it_speaks(IN_MEMORY)
    url = place.fresh()
    with HybridQueue.from_url(url) as queue:
        queue.put(new_task())
    began = time.perf_counter()
    with WorkerProcess(url, ["default"]) as worker:
        worker.mark(1)
        worker.start()
        worker.finish()
        return time.perf_counter() - began


def _until_it_speaks(program: str) -> float:
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - began
