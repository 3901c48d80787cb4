"""Calls an application without a server: tests that ask each route in many ways would spend their time in sockets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlencode

from starlette.datastructures import Headers

from distributed_queue.tests.steps import LIMIT

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Message
    from typing_extensions import Self


class Answer(NamedTuple):
    """What the application answered."""

    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class InProcess:
    """An API, asked in one event loop of its own. A context manager."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str | bytes] | None = None,
        content: bytes | str = b"",
    ) -> Answer:
        """The answer to one request. A stream that does not end by itself is left once it has begun."""
        body = content.encode() if isinstance(content, str) else content
        given = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(params or {}).encode(),
            "headers": [(name.lower().encode(), _bytes(value)) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        return self._loop.run_until_complete(self._exchange(scope, body))

    def close(self) -> None:
        """Let go of the queue, which is the caller's, and end the loop."""
        self._loop.run_until_complete(self._app.state.services.queue.detach())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def _exchange(self, scope: dict[str, Any], body: bytes) -> Answer:
        sent: list[Message] = []
        begun = asyncio.Event()
        gone = asyncio.Event()
        requests = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            message = next(requests, None)
            if message is None:
                await gone.wait()
                return {"type": "http.disconnect"}
            return message

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) > 1:
                begun.set()

        running = asyncio.ensure_future(self._app(scope, receive, send))
        beginning = asyncio.ensure_future(begun.wait())
        await asyncio.wait((running, beginning), timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
        streams = b"text/event-stream" in dict(sent[0]["headers"]).get(b"content-type", b"") if sent else False
        if streams:
            gone.set()
        beginning.cancel()
        await asyncio.wait_for(running, LIMIT)
        start, *parts = sent
        return Answer(start["status"], Headers(raw=start["headers"]), b"".join(each.get("body", b"") for each in parts))


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
