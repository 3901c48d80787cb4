"""A TCP proxy that misbehaves on demand: what a network, or a server at a bad moment, does to its clients.

It passes bytes on and understands none, except that ``swallow`` looks for the marks of a request. One thread serves all
connections. Its methods may be called from any thread, and have taken effect when they return.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from typing_extensions import Self

    _Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK_BYTES = 1 << 16
_RESET = struct.pack("ii", 1, 0)
"""``SO_LINGER`` with no time to linger: closing sends RST instead of FIN."""
_START_SECONDS = 10.0


class FaultProxy:
    """Listens on a port of its own in front of a server on this machine; a context manager.

    Lasting faults are context managers too: all is well again when they end. They may overlap.
    """

    def __init__(self, server_port: int, *, seed: int = 0, marks: tuple[bytes, ...] = (b"EVAL", b"FCALL")) -> None:
        self._server_port = server_port
        self._marks = marks
        self._chance = random.Random(seed)  # noqa: S311 - to be repeatable is the point
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="fault-proxy", daemon=True)
        self._ready = threading.Event()
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self._open = asyncio.Event()
        """Cleared while nothing is passed on."""
        self._delay_seconds = self._jitter_seconds = 0.0
        self._to_swallow = 0
        self.port = 0
        self.connections = 0
        """How many clients have connected so far."""
        self.swallowed = 0
        """How many replies were lost by ``swallow`` so far."""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the proxy did not start")
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    # Faults of a moment

    def cut(self) -> None:
        """Close all connections in order (FIN)."""
        self._call(lambda: self._end_all(reset=False))

    def reset(self) -> None:
        """Break all connections (RST)."""
        self._call(lambda: self._end_all(reset=True))

    def swallow(self, replies: int) -> None:
        """Lose the next ``replies`` replies to requests that bear a mark: the connection is closed instead.

        The server has done then what it was asked, and the client cannot know. By default, the marks are those of
        Redis' scripts and functions.
        """
        self._call(lambda: self._set_swallowing(replies))

    # Faults that last

    @contextmanager
    def slow(self, delay_seconds: float, jitter_seconds: float = 0.0) -> Iterator[None]:
        """Pass everything on later, in each direction, by the delay and up to the jitter more."""
        self._call(lambda: self._set_delay(delay_seconds, jitter_seconds))
        try:
            yield
        finally:
            self._call(lambda: self._set_delay(0.0, 0.0))

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Pass nothing on, as a network that is cut in two: connections are accepted, and nobody answers.

        Afterwards what was sent meanwhile arrives, as TCP would have it: requests reach the server although the client
        may have given up on them long since.
        """
        self._call(self._open.clear)
        try:
            yield
        finally:
            self._call(self._open.set)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Break all connections, and refuse new ones."""
        self._run(self._stop_listening())
        try:
            yield
        finally:
            self._run(self._listen())

    # In the proxy's own thread

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, limit=_CHUNK_BYTES)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._end_all(reset=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link([writer])
        self._links.add(link)
        try:
            await self._open.wait()
            server_reader, server_writer = await asyncio.open_connection(HOST, self._server_port, limit=_CHUNK_BYTES)
            link.writers.append(server_writer)
            if not link.ended:
                await self._converse(link, (reader, writer), (server_reader, server_writer))
        except OSError:
            link.reset = True
        finally:
            link.end()
            self._links.discard(link)

    async def _converse(self, link: _Link, client: _Stream, server: _Stream) -> None:
        requests = asyncio.ensure_future(self._pass_requests(link, client[0], server[1]))
        replies = asyncio.ensure_future(self._pass_replies(link, server[0], client[1]))
        link.tasks += [requests, replies]
        await asyncio.wait(link.tasks, return_when=asyncio.FIRST_COMPLETED)
        if not replies.done():
            # The client is gone; what it has asked for is still done.
            await asyncio.wait(link.tasks)

    async def _pass_requests(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while request := await reader.read(_CHUNK_BYTES):
                link.marked |= any(mark in request for mark in self._marks)
                await self._hold()
                writer.write(request)
                await writer.drain()
            writer.write_eof()

    async def _pass_replies(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while reply := await reader.read(_CHUNK_BYTES):
                if link.marked and self._to_swallow:
                    self._to_swallow -= 1
                    self.swallowed += 1
                    return
                link.marked = False
                await self._hold()
                writer.write(reply)
                await writer.drain()

    async def _hold(self) -> None:
        """Wait until what was read may be passed on."""
        if self._delay_seconds or self._jitter_seconds:
            await asyncio.sleep(self._delay_seconds + self._chance.uniform(0.0, self._jitter_seconds))
        await self._open.wait()

    def _end_all(self, *, reset: bool) -> None:
        for link in list(self._links):
            link.reset = reset
            link.end()

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._open.set()
        while self._links:
            self._end_all(reset=False)
            await asyncio.sleep(0)

    def _set_delay(self, delay_seconds: float, jitter_seconds: float) -> None:
        self._delay_seconds, self._jitter_seconds = delay_seconds, jitter_seconds

    def _set_swallowing(self, replies: int) -> None:
        self._to_swallow = replies

    # From other threads

    def _call(self, action: Callable[[], object]) -> None:
        async def act() -> None:
            action()

        self._run(act())

    def _run(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(_START_SECONDS)


@dataclass(eq=False)
class _Link:
    """A client's connection and the server's that belongs to it."""

    writers: list[asyncio.StreamWriter]
    tasks: list[asyncio.Future[None]] = field(default_factory=list)
    marked: bool = False
    """A request with a mark went through, and was not answered yet."""
    reset: bool = False
    """End with RST rather than FIN."""
    ended: bool = False

    def end(self) -> None:
        """Close both; once is enough."""
        self.ended = True
        for task in self.tasks:
            task.cancel()
        for writer in self.writers:
            transport = writer.transport
            if self.reset and not transport.is_closing():
                connection = transport.get_extra_info("socket")
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                transport.abort()
            else:
                transport.close()
        self.writers.clear()
