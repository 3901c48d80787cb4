"""The first page: what is wrong, and the figures that say whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.dashboard.shell import dashboard_of, render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.core.storage import QueueStats

_BUSIEST = 10


async def show(request: Request) -> Response:
    """The page."""
    sample = await dashboard_of(request).sampler.fresh()
    totals = {str(state): sum(stats.counts.get(state, 0) for stats in sample.queues) for state in TaskStatus}
    oldest = max((stats.oldest_ready_age or 0.0 for stats in sample.queues), default=0.0)
    types = sorted(sample.rates.types.items(), key=lambda item: (-item[1].failures, -item[1].attempts, item[0]))
    return render(
        request,
        "overview.html",
        "Overview",
        totals=totals,
        waiting=sum(stats.depth for stats in sample.queues),
        oldest=oldest,
        slots=sum(worker.max_workers for worker in sample.workers),
        busy=sum(worker.active_tasks for worker in sample.workers),
        queues=sorted(sample.queues, key=_urgency)[:_BUSIEST],
        types=[item for item in types if item[1].attempts][:_BUSIEST],
        empty=not any(stats.counters for stats in sample.queues),
    )


def _urgency(stats: QueueStats) -> tuple[float, int, str]:
    return -(stats.oldest_ready_age or 0.0), -stats.depth, stats.queue
