"""Metrics: the last hour as charts, and each task type's times as a histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.dashboard.shell import dashboard_of, render
from distributed_queue.observability.figures import by_type
from distributed_queue.observability.rates import Percentiles, Rate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.observability.figures import Figures, Histogram

_MAX_ROWS = 50
BAR_HEIGHT = 20


class Bar(NamedTuple):
    """One bucket of a histogram, as the page draws it."""

    height: float
    words: str


class Row(NamedTuple):
    """One task type."""

    queue: str
    type: str
    rate: Rate
    wait: Percentiles
    run: Percentiles
    bars: tuple[Bar, ...]


async def show(request: Request) -> Response:
    """The page."""
    dashboard = dashboard_of(request)
    sample = await dashboard.sampler.fresh()
    types = [
        (sample.rates.types.get((stats.queue, task_type), Rate()), stats.queue, task_type, figures)
        for stats in sample.queues
        for task_type, figures in by_type(stats.counters).items()
        if task_type
    ]
    types.sort(key=lambda each: (-each[0].attempts, -each[3].duration.total, *each[1:3]))
    return render(
        request,
        "charts.html",
        "Metrics",
        rows=[_row(*each) for each in types[:_MAX_ROWS]],
        left_out=max(0, len(types) - _MAX_ROWS),
        points=list(dashboard.sampler.points)[-12:],
        deploys=[point for point in list(dashboard.sampler.points) if point.deploy],
    )


def _row(rate: Rate, queue: str, task_type: str, figures: Figures) -> Row:
    run = Percentiles.of(figures.duration)
    return Row(queue, task_type, rate, Percentiles.of(figures.wait), run, bars(figures.duration))


def bars(histogram: Histogram) -> tuple[Bar, ...]:
    """A bar for each bucket, the highest of full height."""
    highest = max(histogram.counts) or 1
    bounds = [f"up to {bound:g} s" for bound in histogram.bounds] + ["longer"]
    return tuple(
        Bar(round(max(count / highest * BAR_HEIGHT, 1.0 if count else 0.0), 1), f"{words}: {count:,}")
        for count, words in zip(histogram.counts, bounds, strict=True)
    )
