"""Rates and percentiles between two looks at the queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core import counters
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.observability.figures import Figures, by_type, growth, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from distributed_queue.core.storage import QueueStats
    from distributed_queue.observability.figures import Histogram

SHORTEST_SECONDS = 1.0
"""No rates are told over less."""
_COMPLETED = f"{counters.FINISHED}.{TaskStatus.COMPLETED}"
_DEAD = f"{counters.FINISHED}.{TaskStatus.DEAD}"


class Percentiles(NamedTuple):
    """Seconds that half, nineteen of twenty and 99 of 100 did not exceed; None without any."""

    total: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> Percentiles:
        """Those of a histogram."""
        return cls(histogram.total, *(histogram.quantile(share) for share in (0.5, 0.95, 0.99)))


class Rate(NamedTuple):
    """What happened in the window: tasks per second, where not said otherwise."""

    enqueued: float = 0.0
    started: float = 0.0
    completed: float = 0.0
    failed: float = 0.0
    """Failed attempts."""
    attempts: int = 0
    """Attempts that ended, as a number."""
    failures: int = 0
    """Those of them that failed, as a number."""
    lost: int = 0
    """Leases that ran out, as a number."""
    died: int = 0
    """New dead letters, as a number."""
    fenced: int = 0
    """Reports refused because the lease was over, as a number."""
    wait: Percentiles = Percentiles()
    run: Percentiles = Percentiles()

    @property
    def failure_share(self) -> float | None:
        """Failed attempts of all that ended, 0 to 1."""
        return self.failures / self.attempts if self.attempts else None


class Rates(NamedTuple):
    """All together, each queue, and each task type of each queue."""

    all: Rate = Rate()
    queues: Mapping[str, Rate] = {}  # never changed
    types: Mapping[tuple[str, str], Rate] = {}  # never changed
    """By queue and type."""


class Point(NamedTuple):
    """One moment of the charts."""

    time: float
    enqueued: float
    completed: float
    failed: float
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None
    waiting: int
    running: int
    deploy: str = ""
    """How the versions of the workers changed since the point before; empty where they did not."""


def rates_of(now: Iterable[QueueStats], before: Iterable[QueueStats], window: float) -> Rates:
    """What happened in the ``window`` seconds from ``before`` to ``now``."""
    if window < SHORTEST_SECONDS:
        return Rates()
    grown = _growth(now, before)
    return Rates(
        _rate((figures for types in grown.values() for figures in types.values()), window),
        {queue: _rate(types.values(), window) for queue, types in grown.items()},
        {
            (queue, task_type): _rate([figures], window)
            for queue, types in grown.items()
            for task_type, figures in types.items()
            if task_type
        },
    )


def point_of(time: float, now: Sequence[QueueStats], before: Sequence[QueueStats], window: float) -> Point:
    """The same as one point of the charts, with what waits and runs at its end."""
    every = rates_of(now, before, window).all
    return Point(
        round(time, 1),
        every.enqueued,
        every.completed,
        every.failed,
        every.wait.p50,
        every.wait.p95,
        every.run.p50,
        every.run.p95,
        sum(stats.depth for stats in now),
        sum(stats.counts.get(TaskStatus.PROCESSING, 0) for stats in now),
    )


def _growth(now: Iterable[QueueStats], before: Iterable[QueueStats]) -> dict[str, dict[str, Figures]]:
    earlier = {stats.queue: stats.counters for stats in before}
    grown = {stats.queue: growth(stats.counters, earlier.get(stats.queue, {})) for stats in now}
    # Most types rest at any time; what did not grow tells nothing.
    return {queue: by_type({name: number for name, number in each.items() if number}) for queue, each in grown.items()}


def _rate(parts: Iterable[Figures], window: float) -> Rate:
    figures = together(parts)
    counts = figures.counts
    failures = counts[counters.FAILED] + counts[counters.LOST]
    return Rate(
        enqueued=counts[counters.ENQUEUED] / window,
        started=counts[counters.STARTED] / window,
        completed=counts[_COMPLETED] / window,
        failed=counts[counters.FAILED] / window,
        attempts=counts[counters.SUCCEEDED] + failures,
        failures=failures,
        lost=counts[counters.LOST],
        died=counts[_DEAD],
        fenced=sum(number for what, number in counts.items() if what.startswith(counters.FENCED)),
        wait=Percentiles.of(figures.wait),
        run=Percentiles.of(figures.duration),
    )
