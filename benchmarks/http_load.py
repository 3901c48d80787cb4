"""Requests over connections that are kept, as fast as they are answered; cheap enough not to be what is measured."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CREATED = b"HTTP/1.1 201 "


def post(path: str, body: Any) -> bytes:
    """A whole request."""
    content = json.dumps(body, separators=(",", ":")).encode()
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


def send(port: int, request: bytes, connections: int, count: int) -> None:
    """Send it so many times in all. Raises ``RuntimeError`` for an answer other than 201."""
    asyncio.run(_send(port, request, connections, count))


async def _send(port: int, request: bytes, connections: int, count: int) -> None:
    numbers = iter(range(count))
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(request, numbers), HOST, port) for _ in range(connections)
    ]
    for _, connection in opened:
        connection.send_next()
    await asyncio.gather(*(connection.done for _, connection in opened))
    for transport, _ in opened:
        transport.close()


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one was answered, as long as there are numbers left."""

    def __init__(self, request: bytes, numbers: Iterator[int]) -> None:
        self._request = request
        self._numbers = numbers
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the server closed the connection"))

    def send_next(self) -> None:
        """Send one, or be done."""
        if next(self._numbers, None) is None:
            self.done.set_result(None)
        else:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        if not head.startswith(_CREATED):
            self.done.set_exception(RuntimeError(self._received[:1000].decode(errors="replace")))
            return
        self._received = b""
        self.send_next()
