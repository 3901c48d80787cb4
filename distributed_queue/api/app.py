"""The application: routes, error documents, the edge, and the life of what is kept beside the queue."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware import Middleware
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from distributed_queue.api import dead_letters, docs, events, health, metrics, queues, scaler, tasks, webhooks, workers
from distributed_queue.api.edge import Edge
from distributed_queue.api.openapi import document
from distributed_queue.api.options import ApiOptions
from distributed_queue.api.problems import answer_error, answer_http, answer_validation
from distributed_queue.api.routes import DirectRoute
from distributed_queue.api.services import Services, services_of
from distributed_queue.errors import DistributedQueueError
from distributed_queue.observability.summary import SAMPLE_SECONDS
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.worker import WorkerPool

logger = logging.getLogger(__name__)

_ROUTERS = (
    tasks.submitting,  # first: routes are looked through in order, and these are the busiest
    tasks.router,
    dead_letters.router,
    queues.router,
    scaler.router,
    workers.router,
    webhooks.router,
    events.router,
    metrics.router,
    health.router,
    docs.router,
)

_DESCRIPTION = """A task queue over HTTP: submit tasks, see what becomes of them, steer queues and workers.

Errors are problem documents (RFC 9457, `application/problem+json`) with a stable `code`. Times are RFC 3339 in UTC,
durations seconds. Every answer has an `X-Request-ID`; send one to have it kept.
"""


def create_app(queue: HybridQueue, pool: WorkerPool | None = None, options: ApiOptions | None = None) -> FastAPI:
    """The API over ``queue``, with the workers of ``pool`` where this process has some.

    Queue and pool are the caller's: the application starts, stops and closes neither.
    """
    options = options or ApiOptions()
    services = Services(queue, pool, options)
    app = FastAPI(
        title=options.title,
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(Edge, options=options, guard=services.guard, requests=services.requests, direct=_direct())
        ],
        exception_handlers={
            DistributedQueueError: answer_error,
            HTTPException: answer_http,
            RequestValidationError: answer_validation,
            ValidationError: answer_validation,
        },
    )
    app.state.services = services
    for router in _ROUTERS:
        app.include_router(router)
    if options.home is not None:
        app.add_api_route("/", _go_home, include_in_schema=False)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # how FastAPI says to do it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    sampler = asyncio.create_task(_sample(services))
    try:
        yield
    finally:
        services.begin_shutdown()
        sampler.cancel()
        await services.queue.detach()


async def _sample(services: Services) -> None:
    """Look at the queue now and then, so that rates can be told whenever someone asks."""
    while True:
        try:
            await services.queue.run(services.summary.sample)
        except Exception:
            logger.exception("looking at the queue failed")
        await asyncio.sleep(SAMPLE_SECONDS)


async def _go_home(request: Request) -> Response:
    return RedirectResponse(request.scope.get("root_path", "") + (services_of(request).options.home or ""))


def _direct() -> dict[tuple[str, str], ASGIApp]:
    return {
        (method, route.path): route.direct()
        for route in tasks.submitting.routes
        if isinstance(route, DirectRoute)
        for method in route.methods or ()
    }
