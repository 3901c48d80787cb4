"""Connections, below HTTP: how long a client may take, how much it may say first, and how many clients there may be.

uvicorn reads with patience: a client that sends a byte now and then, or none at all, has its connection for as long as
it likes. And what it refuses it refuses without a document. So this adds to its protocol.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from distributed_queue.api import headers as answer_headers
from distributed_queue.api.problems import ApiProblem, retry_after
from distributed_queue.core.ids import new_task_id

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_PIECE_BYTES = 16 << 10
_STEP_BYTES = 1 << 20
_LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before its connection is closed, which it may take for an answer lost."""
_OTHER_FILES = 128
"""Open files that the process keeps for other things than connections."""
_FULL_SECONDS = 1.0
"""When to come back to a server that has as many connections as it may."""
_HEAD, _BODY = "head", "body"


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


class Connection(H11Protocol):
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
        self._awaited: str | None = None
        """What of a request has to arrive before ``_timer`` strikes."""
        self._timer: asyncio.TimerHandle | None = None
        self._arrived_bytes = 0
        """Of the body's current mebibyte."""
        self._over = False
        """Whether nothing that arrives is looked at any more."""

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
        # h11 looks at the size of a head only while that is incomplete; in pieces, no large one is complete at once.
        step = _PIECE_BYTES if len(data) > self._limits.head_bytes else len(data)
        for start in range(0, len(data), step):
            if not self._over:
                super().data_received(data[start : start + step])
        self._arrived_bytes += len(data)
        self._watch()

    # What uvicorn tells

    def on_response_complete(self) -> None:
        """See ``H11Protocol``: what was sent in advance is looked at now."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP. Called while h11's error is handled, which says what is wrong."""
        del msg
        hint = getattr(sys.exc_info()[1], "error_status_hint", HTTPStatus.BAD_REQUEST)
        if hint != HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            self._refuse(ApiProblem("bad-request", "This is not HTTP as a server can understand it."))
        elif b"\n" in self.conn.trailing_data[0]:
            words = f"Address and headers are larger than {self._limits.head_bytes:,} bytes together."
            self._refuse(ApiProblem("headers-too-large", words))
        else:
            words = f"The address is longer than {self._limits.head_bytes:,} bytes. Send long lists in a body."
            self._refuse(ApiProblem("address-too-long", words))

    # Time

    def _watch(self) -> None:
        """See to it that what has to come next comes in time."""
        state = self.conn.their_state
        if self._over or self.transport.is_closing():
            self._await(None)
        elif state is h11.SEND_BODY:
            if self._arrived_bytes >= _STEP_BYTES:
                self._await(None)
            self._await(_BODY, self._limits.body_seconds)
        elif state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0]):
            self._await(_HEAD, self._limits.head_seconds)
        else:
            self._await(None)

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
        if what == _HEAD and not self.conn.trailing_data[0]:
            self._over = True
            self.transport.close()  # It has not said anything, so there is nothing to answer.
        else:
            words = f"The {what} of the request did not arrive within {seconds:g} s."
            self._refuse(ApiProblem("request-timeout", words))

    # Refusing

    def _refuse(self, problem: ApiProblem) -> None:
        """Answer with a problem, unless an answer has begun, and close the connection."""
        self._over = True
        self._await(None)
        if self.cycle is not None and not self.cycle.response_complete:
            # The application, which may be waiting for the body, is told that nobody is there any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        for event in _events(problem):
            self.transport.write(self.conn.send(event) or b"")
        # Closed at once, the connection would be reset by what the client still sends, and the answer lost on its way.
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _events(problem: ApiProblem) -> list[h11.Event]:
    """The answer, as h11 sends it."""
    identifier = new_task_id()
    response = problem.response(identifier)
    headers = answer_headers.complete(response.raw_headers, identifier)
    reason = HTTPStatus(response.status_code).phrase.encode()
    return [
        h11.Response(status_code=response.status_code, headers=[*headers, (b"connection", b"close")], reason=reason),
        h11.Data(data=bytes(response.body)),
        h11.EndOfMessage(),
    ]
