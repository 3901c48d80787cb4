"""What endpoints work with, one set an application."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec
from fastapi import Depends, Request
from starlette.responses import Response

from distributed_queue.api.auth.guard import Guard
from distributed_queue.api.feed import Feed
from distributed_queue.core.async_queue import AsyncQueue
from distributed_queue.observability.metrics import make_registry
from distributed_queue.observability.requests import RequestTimes
from distributed_queue.observability.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from distributed_queue.api.options import ApiOptions
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.worker import WorkerPool

T = TypeVar("T")


class Services:
    """The queue, the pool, and what is kept beside them. Queue and pool belong to whoever made the application."""

    def __init__(self, queue: HybridQueue, pool: WorkerPool | None, options: ApiOptions) -> None:
        self.queue = AsyncQueue(queue)
        self.pool = pool
        self.options = options
        self.guard = Guard(options)
        self.requests = RequestTimes()
        self.registry = make_registry(queue, self.requests, options.deliveries)
        self.summary = Summary(queue, self.requests)
        self.feed = Feed(queue.storage, options)
        self.started = time.monotonic()
        self._closing = asyncio.Event()

    def begin_shutdown(self) -> None:
        """Let long polls and event streams end now. Call it in the event loop's thread."""
        self._closing.set()
        self.feed.close()

    async def unless_closing(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """What ``waiting`` gives, or None as soon as the server begins to shut down."""
        task = asyncio.ensure_future(waiting)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((task, closing), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            closing.cancel()


def services_of(request: Request) -> Services:
    """The services of the application that got the request."""
    return cast("Services", request.app.state.services)


Provided = Annotated[Services, Depends(services_of)]


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer, encoded straight to bytes."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")
