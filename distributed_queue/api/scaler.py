"""How much work there is, for what starts and stops workers: KEDA's ``metrics-api``, or a script."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints
from starlette.responses import Response

from distributed_queue.api.models.queues import ScalerOut
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.services import Provided, json_response
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.options import is_apart

router = APIRouter(prefix=PREFIX, tags=["queues"])

_QueueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
_MOST_QUEUES = 1000


@router.get("/scaler", response_model=ScalerOut, operation_id="get_scale", responses=problems("address-too-long"))
async def get_scale(
    services: Provided,
    queue: Annotated[
        list[_QueueName] | None,
        Query(max_length=_MOST_QUEUES, description="Only of this queue; several times for several."),
    ] = None,
) -> Response:
    """How many tasks need a worker now, in all queues or in some: scale workers to `tasks` divided by their slots.

    `tasks` is what is ready and what runs: with ready alone the last workers would be stopped while they work. What
    waits in a paused queue does not count, nor what is due later. A queue that is not known has none. Queues of the
    library itself (`dq.webhooks`) count where they are named only, as workers take from them where they are named only.
    """
    found = await services.queue.run(services.queue.queue.storage.stats, queue)
    every = [stats for stats in found if queue is not None or not is_apart(stats.queue)]
    ready = sum(stats.counts[TaskStatus.PENDING] for stats in every if not stats.config.paused)
    running = sum(stats.counts[TaskStatus.PROCESSING] for stats in every)
    oldest = max((stats.oldest_ready_age or 0.0 for stats in every if not stats.config.paused), default=0.0)
    return json_response(
        {"tasks": ready + running, "ready": ready, "running": running, "oldest_ready_age_seconds": oldest}
    )
