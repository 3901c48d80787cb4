"""What is measured. Each module has ``measure(place, scale)``, which gives the samples of one round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenarios import (
    backlog,
    children,
    enqueue,
    idle,
    latency,
    lateness,
    memory,
    observed,
    payload,
    process,
    queues,
    raw,
    rest,
    start,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from benchmarks.figures import Sample
    from benchmarks.load import Scale
    from benchmarks.places import Place

    Measure: TypeAlias = Callable[[Place, Scale], Iterator[Sample]]

SCENARIOS: dict[str, Measure] = {
    "process": process.measure,
    "enqueue": enqueue.measure,
    "raw": raw.measure,
    "latency": latency.measure,
    "lateness": lateness.measure,
    "rest": rest.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "start": start.measure,
    "workers": workers.measure,
    "children": children.measure,
    "queues": queues.measure,
    "payload": payload.measure,
    "observed": observed.measure,
    "backlog": backlog.measure,
}
SYNCING = frozenset({"process", "enqueue", "raw", "latency"})
"""Those in which it matters how often a storage syncs."""
