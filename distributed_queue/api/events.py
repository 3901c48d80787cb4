"""What happens to tasks, as server-sent events from the journals."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from distributed_queue.api.auth.guard import CALLER
from distributed_queue.api.marks import MARKS, decode_marks
from distributed_queue.api.models.base import QueueNameText
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.services import Provided

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

    from distributed_queue.api.feed import Stream

logger = logging.getLogger(__name__)

router = APIRouter(prefix=PREFIX, tags=["events"])

_LOOK_SECONDS = 2.0
"""How often it is looked whether the key of a stream is valid still."""
_MAX_QUEUES = 500
"""Names of the longest kind that an address has room for."""

_EXAMPLE = """event: task.completed
data: {"queue":"default","position":42,"at":"2026-08-01T12:00:00.009Z","event":"task.completed","task_id":"0192f0c1-7a7e-7cc3-98c4-dc0c0c07398f","attempt":1,"detail":null}
id: default:42

"""  # noqa: E501 - one event is one line


class EventStreamResponse(EventSourceResponse):
    """Sends a stream until it ends, its client goes or takes nothing for too long, or its key is no longer valid."""

    def __init__(self, stream: Stream, stall_seconds: float, allowed: Callable[[], bool]) -> None:
        super().__init__(stream.chunks(), headers={"X-Accel-Buffering": "no"})
        self._stream = stream
        self._stall_seconds = stall_seconds
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; whatever happens, let go of it then."""

        async def send_in_time(message: Message) -> None:
            try:
                await asyncio.wait_for(send(message), self._stall_seconds)
            except asyncio.TimeoutError:
                logger.info("an event stream was dropped: its client took nothing for %g s", self._stall_seconds)
                raise ClientDisconnect from None

        watch = asyncio.create_task(self._end_when_forbidden())
        try:
            await super().__call__(scope, receive, send_in_time)
        finally:
            watch.cancel()
            self._stream.close()

    async def _end_when_forbidden(self) -> None:
        while self._allowed():  # noqa: ASYNC110 - nothing tells when a key expires
            await asyncio.sleep(_LOOK_SECONDS)
        self._stream.end()


@router.get(
    "/events",
    response_class=StreamingResponse,
    operation_id="stream_events",
    responses={
        200: {
            "description": "A stream that does not end by itself.",
            "content": {"text/event-stream": {"example": _EXAMPLE}},
        },
        **problems("too-many-streams"),
    },
)
async def stream_events(
    request: Request,
    services: Provided,
    queue: Annotated[
        list[QueueNameText] | None,
        Query(max_length=_MAX_QUEUES, description="Follow this queue; may be repeated. Without it, all."),
    ] = None,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            max_length=16_384,
            pattern=MARKS,
            description="Go on after this event. Browsers send it by themselves.",
        ),
    ] = "",
) -> Response:
    """Every change of state of every task, in the order of each queue's journal, as it happens.

    Names are `task.enqueued`, `task.claimed`, `task.completed`, `task.retrying`, `task.dead` and so on, and
    `queue.paused`, `queue.resumed`, `queue.cleared`, `queue.configured`. An `id` holds the stream's position in each
    journal, so a client that comes back with `Last-Event-ID` misses nothing and sees nothing twice. `gap` tells of
    entries that are gone: they were older than what the journal keeps.
    """
    queues = None if queue is None else list(dict.fromkeys(queue))
    marks = decode_marks(last_event_id) if last_event_id else None
    stream = await services.feed.open(queues, marks)
    allowed = partial(services.guard.still_knows, request.scope[CALLER])
    return EventStreamResponse(stream, services.options.stall_seconds, allowed)
