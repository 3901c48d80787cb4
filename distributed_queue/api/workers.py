"""Workers: those of this server, which are steered directly, and those of other processes, which are told."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from distributed_queue.api.audit import note
from distributed_queue.api.documents import iso
from distributed_queue.api.models.workers import PoolOut, ScaleIn, SteeredOut, WorkerIn, WorkerOut, WorkersOut
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem
from distributed_queue.api.routes import JsonRoute
from distributed_queue.api.services import Provided, Services, json_response
from distributed_queue.api.usage import usage_document
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.storage import Command, WorkerInfo
from distributed_queue.core.worker import Worker, WorkerConfig, WorkerPool
from distributed_queue.errors import ConfigurationError
from distributed_queue.version import __version__

router = APIRouter(prefix=PREFIX, tags=["workers"], route_class=JsonRoute)

WorkerName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:@-]{1,100}$", description="The worker's name.")]
_now = SystemClock().now
_LOOK_SECONDS = 0.02


@router.get("/workers", response_model=WorkersOut, operation_id="list_workers", responses=problems())
async def list_workers(services: Provided) -> Response:
    """All live workers: this server's first, then those of other processes, by name."""
    beating = {worker.id: worker for worker in await services.queue.workers()}
    pool = services.pool
    local = (
        [_local(worker, beating.pop(worker.worker_id, None)) for worker in list(pool.workers.values())] if pool else []
    )
    remote = [_remote(info) for info in beating.values()]
    document = {"items": local + remote, "pool": pool is not None, "running": pool is not None and pool.running}
    return json_response(document)


@router.post(
    "/workers",
    status_code=201,
    response_model=WorkerOut,
    operation_id="create_worker",
    responses=problems("worker-exists", "no-worker-pool"),
)
async def create_worker(request: Request, services: Provided, body: WorkerIn) -> Response:
    """Add a worker to this server. It starts at once if the pool runs."""
    note(request, worker_name=body.name, max_workers=body.max_workers)
    pool = _pool(services)
    config = WorkerConfig(
        name=body.name,
        max_workers=body.max_workers,
        poll_interval=body.poll_interval,
        shutdown_timeout=body.shutdown_timeout,
        queues=body.queues,
    )
    taken = ApiProblem("worker-exists", f"This server has a worker {body.name!r} already.", name=body.name)
    if body.name in pool.workers:
        raise taken
    try:
        worker = await services.queue.run(pool.add_worker, config)
    except ConfigurationError:
        if body.name in pool.workers:
            raise taken from None
        raise
    return json_response(_local(worker, None), 201, {"Location": f"{PREFIX}/workers/{body.name}"})


@router.post(
    "/workers/start", response_model=PoolOut, operation_id="start_workers", responses=problems("no-worker-pool")
)
async def start_workers(services: Provided) -> Response:
    """Start all workers of this server."""
    pool = _pool(services)
    await services.queue.run(pool.start_all)
    return json_response(_pool_document(pool))


@router.post("/workers/stop", response_model=PoolOut, operation_id="stop_workers", responses=problems("no-worker-pool"))
async def stop_workers(
    request: Request,
    services: Provided,
    everywhere: Annotated[
        bool, Query(description="Tell those of other processes to stop too; they cannot be started from here.")
    ] = False,
) -> Response:
    """Stop all workers of this server. What runs is finished first, in the background."""
    note(request, everywhere=everywhere)
    if services.pool is None and not everywhere:
        raise _no_pool()
    told = await _tell(services, None, Command(action="stop")) if everywhere else 0
    if services.pool is not None:
        await services.queue.run(services.pool.stop_all, False)
    return json_response(_pool_document(services.pool, told))


@router.get(
    "/workers/{worker_name}",
    response_model=WorkersOut,
    operation_id="get_worker",
    responses=problems("worker-not-found"),
)
async def get_worker(services: Provided, worker_name: WorkerName) -> Response:
    """The workers of a name: one of this server at most, and any number of other processes."""
    beating = {worker.id: worker for worker in await services.queue.workers() if worker.name == worker_name}
    pool = services.pool
    own = pool.workers.get(worker_name) if pool else None
    local = [_local(own, beating.pop(own.worker_id, None))] if own else []
    items = local + [_remote(info) for info in beating.values()]
    if not items:
        raise _not_found(worker_name)
    return json_response({"items": items, "pool": pool is not None, "running": pool is not None and pool.running})


@router.delete(
    "/workers/{worker_name}",
    response_model=SteeredOut,
    operation_id="remove_worker",
    responses=problems("worker-not-found"),
)
async def remove_worker(
    services: Provided,
    worker_name: WorkerName,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to hold the answer until it has stopped.")] = 5.0,
) -> Response:
    """Stop a worker gracefully and forget it: what runs is finished, nothing more is taken."""
    pool = services.pool
    worker = pool.workers.get(worker_name) if pool else None
    if pool is None or worker is None:
        return await _steer_remote(services, worker_name, Command(action="stop"))
    await services.queue.run(pool.remove_worker, worker_name, False)
    end = time.monotonic() + wait
    while not worker.join(0) and time.monotonic() < end:  # noqa: ASYNC110 - a worker's end is no event of this loop
        # Not in a thread: there are not many, and others need them.
        await asyncio.sleep(_LOOK_SECONDS)
    return _steered(worker, "stop")


@router.post(
    "/workers/{worker_name}/pause",
    response_model=SteeredOut,
    operation_id="pause_worker",
    responses=problems("worker-not-found"),
)
async def pause_worker(services: Provided, worker_name: WorkerName) -> Response:
    """Let a worker take nothing more for now. What runs goes on."""
    return await _steer(services, worker_name, Command(action="pause"))


@router.post(
    "/workers/{worker_name}/resume",
    response_model=SteeredOut,
    operation_id="resume_worker",
    responses=problems("worker-not-found"),
)
async def resume_worker(services: Provided, worker_name: WorkerName) -> Response:
    """Undo a pause."""
    return await _steer(services, worker_name, Command(action="resume"))


@router.post(
    "/workers/{worker_name}/scale",
    response_model=SteeredOut,
    operation_id="scale_worker",
    responses=problems("worker-not-found"),
)
async def scale_worker(request: Request, services: Provided, worker_name: WorkerName, body: ScaleIn) -> Response:
    """Change how many handlers a worker runs at the same time."""
    note(request, max_workers=body.max_workers)
    return await _steer(services, worker_name, Command(action="scale", max_workers=body.max_workers))


@router.post(
    "/workers/{worker_name}/inspect",
    response_model=SteeredOut,
    operation_id="inspect_worker",
    responses=problems("worker-not-found"),
)
async def inspect_worker(services: Provided, worker_name: WorkerName) -> Response:
    """Let a worker look where its handlers are. It tells it as `stacks` within seconds, for half a minute."""
    return await _steer(services, worker_name, Command(action="inspect"))


def _pool(services: Services) -> WorkerPool:
    if services.pool is None:
        raise _no_pool()
    return services.pool


def _no_pool() -> ApiProblem:
    return ApiProblem("no-worker-pool", "This server runs no workers of its own; it was started without.")


def _not_found(name: str) -> ApiProblem:
    return ApiProblem("worker-not-found", f"No live worker has the name {name!r}.", name=name)


async def _tell(services: Services, name: str | None, command: Command) -> int:
    """Leave a command for the workers of other processes, all or those of a name; how many there are."""
    own = {worker.worker_id for worker in services.pool.workers.values()} if services.pool else set()
    others = [
        worker
        for worker in await services.queue.workers()
        if worker.id not in own and (name is None or worker.name == name)
    ]
    for worker in others:
        await services.queue.run(services.queue.queue.storage.command, worker.id, command)
    return len(others)


async def _steer(services: Services, name: str, command: Command) -> Response:
    """Tell a worker of this server, in a thread since it may ask the storage; else those of other processes."""
    worker = services.pool.workers.get(name) if services.pool else None
    if worker is None:
        return await _steer_remote(services, name, command)
    await services.queue.run(worker.obey, command)
    return _steered(worker, command.action)


async def _steer_remote(services: Services, name: str, command: Command) -> Response:
    count = await _tell(services, name, command)
    if not count:
        raise _not_found(name)
    document = {"name": name, "action": command.action, "origin": "remote", "count": count, "state": None}
    return json_response(document, 202)


def _steered(worker: Worker, action: str) -> Response:
    state = worker.get_stats()["state"]
    return json_response({"name": worker.config.name, "action": action, "origin": "local", "count": 1, "state": state})


def _pool_document(pool: WorkerPool | None, told: int = 0) -> dict[str, Any]:
    return {"running": pool is not None and pool.running, "workers": len(pool.workers) if pool else 0, "told": told}


def _local(worker: Worker, info: WorkerInfo | None) -> dict[str, Any]:
    """The fields of ``models.WorkerOut``, of a worker of this server; ``info`` is what it last reported."""
    stats = worker.get_stats()
    return {
        **{name: stats[name] for name in _SHARED},
        "id": worker.worker_id or None,
        "origin": "local",
        "queues": stats["queues"],
        "handlers": stats["handlers"],
        "host": platform.node(),
        "pid": os.getpid(),
        "version": __version__,
        **_reported(info),
    }


def _remote(info: WorkerInfo) -> dict[str, Any]:
    """The same of a worker of another process."""
    return {
        **{name: getattr(info, name) for name in _SHARED},
        "id": info.id,
        "origin": "remote",
        "queues": list(info.queues) or None,
        "handlers": None,
        "host": info.host,
        "pid": info.pid,
        "version": info.version or None,
        **_reported(info),
    }


_SHARED = ("name", "state", "paused", "max_workers", "active_tasks", "processed", "failed", "stuck")


def _reported(info: WorkerInfo | None) -> dict[str, Any]:
    if info is None:
        unknown = ("started_at", "beat_age_seconds", "memory_bytes", "cpu_share", "inspections")
        return {**dict.fromkeys(unknown), "stacks": []}
    return {
        "started_at": iso(info.started_at) if info.started_at else None,
        "beat_age_seconds": round(max(0.0, _now() - info.beat_at), 3),
        **usage_document(info),
    }
