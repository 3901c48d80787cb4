"""The load that scenarios put on a queue, and how its cost is told."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distributed_queue import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place
    from distributed_queue import HybridQueue

BATCH = 100
PAYLOAD = {"type": "noop", "data": "x" * 26}
"""50 bytes as JSON."""


SMALL = 0.1


class Scale:
    """How much of everything: 1 for figures that are to be published, less for a quick look."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    @property
    def small(self) -> bool:
        """Whether it is for a quick look."""
        return self._factor < SMALL

    def count(self, full: int, least: int = 2 * BATCH) -> int:
        """So many instead of ``full``, in whole batches."""
        return max(least, round(full * self._factor / BATCH) * BATCH)

    def seconds(self, full: float) -> float:
        """So long instead of ``full``, but never less than a second."""
        return max(1.0, full * self._factor)


@dataclass
class Cost:
    """Time that a block took, by the clock and by the processors; seconds, set when it ends."""

    wall: float = 0.0
    client: float = 0.0
    storage: float | None = None


@contextmanager
def measured(place: Place) -> Iterator[Cost]:
    """Measure the block."""
    cost = Cost()
    storage_before, client_before = place.cpu_seconds(), time.process_time()
    began = time.perf_counter()
    yield cost
    cost.wall = time.perf_counter() - began
    cost.client = time.process_time() - client_before
    storage_after = place.cpu_seconds()
    if storage_before is not None and storage_after is not None:
        cost.storage = storage_after - storage_before


def per_task(seconds: float | None, count: int) -> float | None:
    """Microseconds for each."""
    return None if seconds is None else seconds / count * 1e6


def new_task(kind: str = "noop", name: str = "default") -> Task:
    """A task for the handler ``kind``, of the queue ``name``."""
    return Task(priority=100, payload={**PAYLOAD, "type": kind}, queue=name)


def fill(queue: HybridQueue, count: int, kind: str = "noop", name: str = "default") -> None:
    """Enqueue in batches."""
    for _ in range(count // BATCH):
        queue.put_many([new_task(kind, name) for _ in range(BATCH)])
