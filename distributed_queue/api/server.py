"""Serving an application over HTTP, and stopping in good order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from distributed_queue.api.connection import Connection, ConnectionLimits
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from fastapi import FastAPI

    from distributed_queue.api.services import Services

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_LOOK_SECONDS = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ApiServer(uvicorn.Server):
    """One server on one address. ``run()`` blocks until ``stop()`` or a signal."""

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        shutdown_seconds: float = 10.0,
        ready: Callable[[int], object] | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        limits = limits or ConnectionLimits()
        connection = partial(Connection, limits=limits, most=limits.bearable)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=cast("type[asyncio.Protocol]", connection),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            backlog=_BACKLOG,
            timeout_graceful_shutdown=max(1, round(shutdown_seconds)),
        )
        # uvicorn's setting is in whole seconds, its timer is not.
        config.timeout_keep_alive = cast("int", limits.keep_alive_seconds)
        super().__init__(config)
        self._services: Services = app.state.services
        self._ready = ready

    def listen(self) -> socket.socket:
        """Take the address. Raises ``ConfigurationError`` where that is impossible."""
        host, port = self.config.host, self.config.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named: asyncio turns Nagle's algorithm off only then, and with it answers wait for 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            listening.close()
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigurationError(f"Cannot listen on {host}, port {port}: {reason}") from error
        return listening

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        listening = sockets or [self.listen()]
        try:
            super().run(listening)
        finally:
            for each in listening:
                each.close()

    def stop(self) -> None:
        """Stop taking requests, finish those that run, and let ``run`` return; from any thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See ``uvicorn.Server``; then say on which port."""
        await super().startup(sockets)
        if self.started and self._ready is not None and sockets:
            self._ready(sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See ``uvicorn.Server``. What would hold it up is told first; a second signal ends it whatever runs."""
        self._services.begin_shutdown()
        ending = asyncio.ensure_future(super().shutdown(sockets))
        while not ending.done():
            await asyncio.wait((ending,), timeout=_LOOK_SECONDS)
            if self.force_exit:
                # From Python 3.12 on, uvicorn itself would wait for open connections all the same.
                ending.cancel()
        if ending.cancelled():
            await self.lifespan.shutdown()
        else:
            ending.result()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal, at once at the second."""
        del frame
        logger.info("received %s", signal.Signals(sig).name)
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals, and only that: uvicorn would raise them again, and so end what the caller has yet to stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_server(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    shutdown_seconds: float = 10.0,
    ready: Callable[[int], object] | None = None,
    limits: ConnectionLimits | None = None,
) -> None:
    """Serve ``app`` until SIGINT or SIGTERM; a second one ends it at once.

    ``ready`` is called with the port once requests are taken; port 0 takes any free one. Requests that run get
    ``shutdown_seconds`` to finish; event streams and waiting requests end at once. Raises ``ConfigurationError`` where
    the address cannot be had.
    """
    ApiServer(app, host, port, shutdown_seconds=shutdown_seconds, ready=ready, limits=limits).run()
