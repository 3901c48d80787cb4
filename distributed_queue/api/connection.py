"""Connections, below HTTP: how long a client may take, how much it may say first, and how many clients there may be.

uvicorn reads with patience: a client that sends a byte now and then, or none at all, has its connection for as long as
it likes, and may send headers without end. And what it refuses it refuses without a document. So this adds to its
protocol for httptools, whose parser, in C, takes a tenth of the time that one in Python does.
"""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from distributed_queue.api import headers as answer_headers
from distributed_queue.api.problems import ApiProblem, retry_after
from distributed_queue.core.ids import new_task_id

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_STEP_BYTES = 1 << 20
_LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before its connection is closed, which it may take for an answer lost."""
_OTHER_FILES = 128
"""Open files that the process keeps for other things than connections."""
_FULL_SECONDS = 1.0
"""When to come back to a server that has as many connections as it may."""
_HEAD, _BODY = "head", "body"
_LONGEST_METHOD = 16
"""What stands before the address at most, in bytes."""


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """What a server bears of its clients. Durations are in seconds."""

    head_seconds: float = 10.0
    """How long address and headers of a request may take to arrive, or a new connection to say anything."""
    body_seconds: float = 30.0
    """How long each mebibyte of a body may take to arrive."""
    keep_alive_seconds: float = 5.0
    """How long a connection may idle between two requests."""
    head_bytes: int = 64 << 10
    """How large address and headers of a request may be together."""
    connections: int = 10_000
    """Connections that may be open at once, event streams included; fewer where the process may not have so many open
    files. Who comes then is told to come back."""

    @property
    def bearable(self) -> int:
        """``connections``, as far as the process may have open files."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if most == resource.RLIM_INFINITY:
            return self.connections
        return max(1, min(self.connections, most - _OTHER_FILES))


class Connection(HttpToolsProtocol):
    """One client's connection, which has to keep to ``ConnectionLimits``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
        most: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._most = most
        self._part: str | None = _HEAD
        """What of a request arrives; None between two of them."""
        self._silent_bytes = 0
        """How much of the head came so far, or of the body's framing and trailers since its last byte."""
        self._alone = True
        """Whether what arrived last is of one request."""
        self._awaited: str | None = None
        """What has to arrive before ``_timer`` strikes."""
        self._timer: asyncio.TimerHandle | None = None
        self._arrived_bytes = 0
        """Of the body's current mebibyte."""
        self._problem: ApiProblem | None = None
        """What is wrong with the request that arrives. Nothing that follows it is looked at any more."""

    # What asyncio tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self.connections.discard(self)
            self._refuse(
                ApiProblem(
                    "too-many-connections",
                    f"{self._most:,} connections are open, which is as many as this server allows.",
                    **retry_after(_FULL_SECONDS),
                )
            )
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._await(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._problem is not None or self.transport.is_closing():
            return
        self._alone = True
        rest = data
        while rest:
            rest = self._parse(rest)
        if self._problem is not None:
            self._refuse(self._problem)
            return
        if self._part is not None:
            self._arrived_bytes += len(data)
            self._silent_bytes += len(data) if self._alone else 1
            if self._silent_bytes > self._limits.head_bytes:
                self._refuse(self._too_large())
        self._watch()

    # What the parser tells

    def on_message_begin(self) -> None:
        """See ``HttpToolsProtocol``."""
        self._unset_keepalive_if_required()
        self._part, self._silent_bytes = _HEAD, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """See ``HttpToolsProtocol``. The request is handled from here on, if nothing is wrong with its head."""
        if self.parser.get_method() == b"CONNECT":
            raise _not_http()
        if self.parser.should_upgrade():
            return  # The parser would leave its body out, so it is parsed again: see ``_without_upgrade``.
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        hosts = sum(name == b"host" for name, _ in self.headers)
        if head_bytes > self._limits.head_bytes:
            raise self._too_large()
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise _not_http()
        super().on_headers_complete()
        self._part, self._silent_bytes, self._alone = _BODY, 0, False
        # Trailers, which come after the body, are not among what was looked at when it began.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """See ``HttpToolsProtocol``."""
        self._alone = False
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See ``HttpToolsProtocol``."""
        if self.parser.should_upgrade():
            return
        self._alone = False
        self._part = None
        if self.cycle.response_complete:
            self._keep_alive()
        super().on_message_complete()

    # What uvicorn tells

    def on_response_complete(self) -> None:
        """See ``HttpToolsProtocol``: the next request may be refused by now."""
        is_last = not self.pipeline
        super().on_response_complete()
        if self._part is not None:
            self._unset_keepalive_if_required()
        if self._problem is not None and is_last:
            self._answer(self._problem)

    # Time

    def _watch(self) -> None:
        """See to it that what has to come next comes in time."""
        if self._problem is not None or self.transport.is_closing():
            self._await(None)
        elif self._part == _BODY:
            if self._arrived_bytes >= _STEP_BYTES:
                self._await(None)
            self._await(_BODY, self._limits.body_seconds)
        elif self._part == _HEAD:
            self._await(_HEAD, self._limits.head_seconds)
        else:
            self._await(None)

    def _keep_alive(self) -> None:
        """The answer came before the request was over: only now is the connection idle."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _await(self, what: str | None, seconds: float = 0.0) -> None:
        if what == self._awaited:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaited, self._arrived_bytes = what, 0
        if what is not None:
            self._timer = self.loop.call_later(seconds, self._too_late, what, seconds)

    def _too_late(self, what: str, seconds: float) -> None:
        if what == _HEAD and not self._silent_bytes:
            self.transport.close()  # It has not said anything, so there is nothing to answer.
        else:
            words = f"The {what} of the request did not arrive within {seconds:g} s."
            self._refuse(ApiProblem("request-timeout", words))

    # Refusing

    def _parse(self, data: bytes) -> bytes:
        """Have it parsed; what to parse after it."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade() + data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._problem = cause if isinstance(cause, ApiProblem) else _not_http()
        return b""

    def _without_upgrade(self) -> bytes:
        """The head of a request for another protocol as one for this protocol, which is all that there is."""
        line = b" ".join((self.parser.get_method(), self.url, f"HTTP/{self.parser.get_http_version()}".encode()))
        headers = (b": ".join(header) for header in self.headers if header[0] != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return b"\r\n".join((line, *headers, b"", b""))

    def _too_large(self) -> ApiProblem:
        limit_bytes = self._limits.head_bytes
        if self._part == _HEAD and len(self.url) > limit_bytes - _LONGEST_METHOD:
            words = f"The address is longer than {limit_bytes:,} bytes. Send long lists in a body."
            return ApiProblem("address-too-long", words)
        return ApiProblem("headers-too-large", f"Address and headers are larger than {limit_bytes:,} bytes together.")

    def _refuse(self, problem: ApiProblem) -> None:
        """Answer with a problem, unless an answer has begun, and close the connection."""
        self._problem = problem
        self._await(None)
        if self._part == _BODY:
            # The application, which may be waiting for the body, is told that nobody is there any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.pipeline and self.pipeline[0][0] is self.cycle:
                self.pipeline.popleft()
            elif self.cycle.response_started:
                self.transport.close()
            else:
                self._answer(problem)
        elif self.cycle is None or self.cycle.response_complete:
            self._answer(problem)

    def _answer(self, problem: ApiProblem) -> None:
        self.transport.write(_written(problem))
        # Closed at once, the connection would be reset by what the client still sends, and the answer lost on its way.
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _not_http() -> ApiProblem:
    return ApiProblem("bad-request", "This is not HTTP as a server can understand it.")


def _written(problem: ApiProblem) -> bytes:
    """The answer, as it is sent."""
    identifier = new_task_id()
    response = problem.response(identifier)
    status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()
    headers = [*answer_headers.complete(response.raw_headers, identifier), (b"connection", b"close")]
    lines = [status, *(b": ".join(header) for header in headers), b"", bytes(response.body)]
    return b"\r\n".join(lines)
