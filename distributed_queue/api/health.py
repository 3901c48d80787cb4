"""Whether the server is alive, and whether it can do its work."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from distributed_queue.api.models.health import HealthOut, ReadyOut
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import PROBLEMS, STORAGE_RETRY_SECONDS, ApiProblem, retry_after
from distributed_queue.api.services import Provided, Services, json_response
from distributed_queue.core.storage import StorageHealth
from distributed_queue.errors import DistributedQueueError
from distributed_queue.version import __version__

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])


@router.get("/health", include_in_schema=False)
@router.get(f"{PREFIX}/health", response_model=HealthOut, operation_id="get_health", responses=problems())
async def get_health(services: Provided) -> Response:
    """The process is alive. It says nothing of the storage: restarting this process would not bring that back."""
    uptime = round(time.monotonic() - services.started, 3)
    return json_response({"status": "healthy", "version": __version__, "uptime_seconds": uptime})


@router.get("/ready", include_in_schema=False)
@router.get(f"{PREFIX}/ready", response_model=ReadyOut, operation_id="get_readiness", responses=problems("not-ready"))
async def get_readiness(services: Provided) -> Response:
    """The server can do its work: the storage answers, and its own workers, where they run, take tasks."""
    reasons: list[str] = []
    health = await _storage(services, reasons)
    workers = _workers(services, reasons)
    if health is None or reasons:
        raise ApiProblem("not-ready", " ".join(reasons), reasons=reasons, **retry_after(STORAGE_RETRY_SECONDS))
    storage = {
        "engine": health.engine,
        "version": health.version,
        "profile": health.profile,
        "durability": health.durability,
        "latency_seconds": round(health.latency, 6),
    }
    return json_response({"status": "ready", "storage": storage, "workers": workers})


async def _storage(services: Services, reasons: list[str]) -> StorageHealth | None:
    patience = services.options.ready_seconds
    try:
        health = await asyncio.wait_for(services.queue.health(), patience)
    except asyncio.TimeoutError:
        reasons.append(f"The storage did not answer within {patience:g} s.")
    except DistributedQueueError as error:
        logger.warning("not ready: %s", error)
        reasons.append(PROBLEMS[error.code].title + ".")
    else:
        if health.missing:
            logger.warning("not ready: %s", health.missing)
            reasons.append(f"The storage gives durability {health.profile}, and more is demanded.")
        return health
    return None


def _workers(services: Services, reasons: list[str]) -> dict[str, Any]:
    pool = services.pool
    own = list(pool.workers.values()) if pool is not None and pool.running else []
    idle = [worker.config.name for worker in own if not worker.is_claiming()]
    reasons += [f"Worker {name!r} takes no tasks." for name in idle]
    return {"total": len(own), "claiming": len(own) - len(idle)}
