"""One connection to a server. What goes over it is packed and read by hiredis, the C library of Redis itself.

After any error but a ``ServerError`` a connection must be closed: an answer that comes late would be taken for that to
the next command.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import hiredis

from distributed_queue.storage.redis.replies import raise_trouble, read_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.tls import Tls

    Command: TypeAlias = tuple[Arg, ...]

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long a command may take; ``?socket_timeout=`` in the URL changes it."""
_READ_BYTES = 65536
_MICROSECONDS = 1_000_000
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A server that went without a word is noticed within 45 s by whoever waits for its answer for longer."""
_NOTHING = object()


class Endpoint(NamedTuple):
    """Where a server listens, and as whom it is spoken to."""

    host: str = "localhost"
    port: int = 6379
    username: str = ""
    password: str = ""
    database: int = 0
    client_name: str = ""
    connect_seconds: float = CONNECT_SECONDS
    keepalive: bool = True
    tls: Tls | None = None

    def greeting(self) -> list[Command]:
        """What is said first on a connection."""
        commands: list[Command] = []
        if self.username:
            commands.append((b"AUTH", self.username, self.password))
        elif self.password:
            commands.append((b"AUTH", self.password))
        if self.client_name:
            commands.append((b"CLIENT", b"SETNAME", self.client_name))
        if self.database:
            commands.append((b"SELECT", self.database))
        if self.tls and not commands:
            # A server sends session tickets after the handshake; they must not be there when an answer is waited for.
            commands.append((b"PING",))
        return commands


class Connection:
    """A connection, for one thread at a time. Connects at once. Raises ``OSError`` or ``ServerError``."""

    __slots__ = ("_reader", "_sock", "answer_seconds", "endpoint")

    def __init__(self, endpoint: Endpoint, answer_seconds: float) -> None:
        self.endpoint = endpoint
        self.answer_seconds = answer_seconds
        self._sock = _connect(endpoint, answer_seconds)
        self._reader = hiredis.Reader(protocolError=ConnectionError, replyError=read_error, notEnoughData=_NOTHING)
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """For selectors: readable once there is an answer, provided that all before it were read."""
        return self._sock.fileno()

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands in one go."""
        pack = hiredis.pack_command
        try:
            self._sock.sendall(b"".join([pack(cast("tuple[Any, ...]", command)) for command in commands]))
        except (BlockingIOError, TimeoutError) as error:
            raise self._late("takes no commands") from error

    def receive(self, count: int) -> list[Any]:
        """The answers to so many commands; a ``ServerError`` is one of them."""
        gets = self._reader.gets
        replies: list[Any] = []
        while len(replies) < count:
            reply = gets()
            if reply is _NOTHING:
                self._read()
            else:
                replies.append(reply)
        return replies

    def converse(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and read their answers; a ``ServerError`` is one of them."""
        self.send(commands)
        return self.receive(len(commands))

    def close(self) -> None:
        """Hang up. The same connection in a process that this one was forked from stays as it is."""
        self._sock.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # it was never connected
            self._sock.close()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, TimeoutError) as error:
            raise self._late("does not answer") from error
        if not data:
            raise ConnectionResetError(f"{_place(self.endpoint)} closed the connection")
        self._reader.feed(data)

    def _late(self, what: str) -> TimeoutError:
        return TimeoutError(f"{_place(self.endpoint)} {what} within {self.answer_seconds:g} s")

    def _greet(self) -> None:
        greeting = self.endpoint.greeting()
        if greeting:
            raise_trouble(self.converse(greeting))


def _connect(endpoint: Endpoint, answer_seconds: float) -> socket.socket:
    place = (endpoint.host, endpoint.port)
    try:
        sock = socket.create_connection(place, endpoint.connect_seconds)
    except (OSError, UnicodeError) as error:  # the latter for a name that none can be
        reason = getattr(error, "strerror", None) or str(error)
        raise ConnectionError(f"{_place(endpoint)} cannot be reached: {reason}") from error
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.keepalive:
            _keep_alive(sock)
        if endpoint.tls is None:
            _limit(sock, answer_seconds)
        else:
            sock = endpoint.tls.wrap(sock, endpoint.host)
            sock.settimeout(answer_seconds)
    except BaseException:
        sock.close()
        raise
    return sock


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _limit(sock: socket.socket, seconds: float) -> None:
    """Let the system end a call that takes too long: a time-out of Python's costs one more call before each."""
    limit = struct.pack("@ll", *divmod(max(1, int(seconds * _MICROSECONDS)), _MICROSECONDS))
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}"
