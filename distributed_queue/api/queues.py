"""Queues: look, pause, resume, set limits, clear."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from distributed_queue.api.audit import note
from distributed_queue.api.documents import queue_document
from distributed_queue.api.models.queues import ClearedOut, QueueOut, QueuesOut, SettingsIn, StatsOut
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem
from distributed_queue.api.routes import JsonRoute
from distributed_queue.api.services import Provided, Services, json_response
from distributed_queue.api.tasks import QueueFilter
from distributed_queue.core.storage import QueueStats

router = APIRouter(prefix=PREFIX, tags=["queues"], route_class=JsonRoute)

QueueName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="The queue's name.")]


@router.get("/stats", response_model=StatsOut, operation_id="get_stats", responses=problems())
async def get_stats(services: Provided) -> Response:
    """What waits, runs and failed: all queues together, and each."""
    return json_response(await services.queue.get_stats())


@router.get("/queues", response_model=QueuesOut, operation_id="list_queues", responses=problems())
async def list_queues(services: Provided) -> Response:
    """All queues that were ever used, by name."""
    return json_response({"items": [queue_document(stats) for stats in await services.queue.queue_stats()]})


@router.get("/queues/{name}", response_model=QueueOut, operation_id="get_queue", responses=problems("queue-not-found"))
async def get_queue(services: Provided, name: QueueName) -> Response:
    """One queue."""
    return json_response(queue_document(await _stats(services, name)))


@router.post(
    "/queues/{name}/pause", response_model=QueueOut, operation_id="pause_queue", responses=problems("queue-not-found")
)
async def pause_queue(services: Provided, name: QueueName) -> Response:
    """Let no worker take more tasks from the queue. What runs goes on, and tasks are still accepted."""
    await _stats(services, name)
    await services.queue.pause(name)
    return await get_queue(services, name)


@router.post(
    "/queues/{name}/resume", response_model=QueueOut, operation_id="resume_queue", responses=problems("queue-not-found")
)
async def resume_queue(services: Provided, name: QueueName) -> Response:
    """Undo a pause."""
    await _stats(services, name)
    await services.queue.resume(name)
    return await get_queue(services, name)


@router.patch(
    "/queues/{name}",
    response_model=QueueOut,
    operation_id="configure_queue",
    responses=problems(),
)
async def configure_queue(request: Request, services: Provided, name: QueueName, body: SettingsIn) -> Response:
    """Change limits and other settings, for all processes at once. A queue that is new is created."""
    settings = {field: getattr(body, field) for field in body.model_fields_set}
    note(request, settings=settings)
    await services.queue.configure(name, **settings)
    return await get_queue(services, name)


@router.delete(
    "/queue/clear", response_model=ClearedOut, operation_id="clear_queues", responses=problems("queue-not-found")
)
async def clear_queues(request: Request, services: Provided, queue: QueueFilter = None) -> Response:
    """Forget all tasks, in every state, of all queues or of one. Settings and counters stay.

    Queues of the library itself (`dq.webhooks`) are cleared where they are named only.
    """
    note(request, queue=queue or "all")
    if queue is not None:
        await _stats(services, queue)
    return json_response({"cleared": await services.queue.clear(queue)})


async def _stats(services: Services, name: str) -> QueueStats:
    found = await services.queue.queue_stats(name)
    if not found:
        raise ApiProblem("queue-not-found", f"There is no queue {name!r}.", queue=name)
    return found[0]
