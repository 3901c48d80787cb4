"""Tells open pages, by server-sent events, that there is a new sample: one short event, the same for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from distributed_queue.dashboard.shell import SESSION, dashboard_of, viewer_of
from distributed_queue.observability.problems import find_problems, worst
from distributed_queue.observability.rates import Point

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from distributed_queue.dashboard.dashboard import Dashboard
    from distributed_queue.observability.sampler import Sample

MAX_STREAMS = 200
PING_SECONDS = 15.0
_RETRY_MS = 2000


class Streams:
    """How many pages listen. For use in one event loop."""

    def __init__(self) -> None:
        self.open = 0


async def stream_samples(request: Request) -> Response:
    """The stream. It ends with the server, and with the session."""
    dashboard = dashboard_of(request)
    if dashboard.streams.open >= MAX_STREAMS:
        return PlainTextResponse("Too many pages are open.", 503, {"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, dashboard), headers=headers, media_type="text/event-stream")


async def give_points(request: Request) -> Response:
    """What the charts draw, as columns."""
    points = list(dashboard_of(request).sampler.points)
    columns = {name: [_short(getattr(point, name)) for point in points] for name in Point._fields}
    return Response(msgspec.json.encode(columns), media_type="application/json")


def _short(value: float | str | None) -> float | str | None:
    return round(value, 4) if isinstance(value, float) else value


async def _events(request: Request, dashboard: Dashboard) -> AsyncIterator[bytes]:
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    viewer, session = viewer_of(request), request.scope[SESSION]

    def tell() -> None:
        # A loop that was closed has nobody left who listens.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(news.set)

    leave = dashboard.sampler.watch(tell)
    dashboard.streams.open += 1
    try:
        yield b"retry: %d\n\n" % _RETRY_MS
        told = -1
        while not dashboard.sampler.ended and dashboard.gate.still_knows(viewer):
            if session is not None and not dashboard.sessions.knows(session):
                return
            sample = dashboard.sampler.latest
            if sample.number != told:
                told = sample.number
                yield _event(sample)
            else:
                yield b": still here\n\n"
            news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), PING_SECONDS)
    finally:
        dashboard.streams.open -= 1
        leave()


def _event(sample: Sample) -> bytes:
    problems = find_problems(sample)
    data = {"number": sample.number, "up": sample.up, "problems": len(problems), "worst": worst(problems)}
    return b"event: sample\ndata: %b\n\n" % msgspec.json.encode(data)
