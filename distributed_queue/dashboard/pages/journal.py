"""The journal's end, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import Event
from distributed_queue.core.storage import check_queue_name
from distributed_queue.dashboard.shell import dashboard_of, render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """The latest changes, of all queues or of one."""
    dashboard = dashboard_of(request)
    queue, event = request.query_params.get("queue", ""), request.query_params.get("event", "")
    sample = await dashboard.sampler.fresh()
    names = [check_queue_name(queue)] if queue else [stats.queue for stats in sample.queues]
    changes, read = await dashboard.desk.run(dashboard.desk.tail, names)
    return render(
        request,
        "journal.html",
        "Journal",
        changes=[each for each in changes if not event or each.change.event == event],
        queue=queue,
        event=event,
        events=[str(each) for each in Event],
        left_out=len(names) - read,
    )
