"""Connections to one server: made, checked, shared between threads, rebuilt after trouble.

Commands are sent over the driver's ``Connection`` rather than its ``Redis`` client, which costs 50 µs a call more
(measured with redis-py 8.1), and retried here rather than there, since a repeated script has to bear the same token.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

import hiredis
import redis
from redis.connection import Connection, parse_url

from distributed_queue.core.registry import without_password
from distributed_queue.errors import InvalidStorageURL, QueueClosed, StorageIncompatible, StorageUnavailable
from distributed_queue.storage.redis.faults import code_of, is_passing, translate
from distributed_queue.storage.redis.scripts import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.durability import Confirmation

    Command: TypeAlias = tuple[Arg, ...]

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long a command may take; ``?socket_timeout=`` in the URL changes it."""
RETRY_SECONDS = 2.0
"""How long a command is tried again after trouble that may pass."""
BLOCK_SECONDS = 5.0
"""The longest that a command asks the server to block."""
_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_OLDEST_VERSION = (6, 2)
_OPTIONS = frozenset({"db", "client_name", "socket_timeout", "socket_connect_timeout", "socket_keepalive"})


class Connections:
    """The connections of one client. Thread-safe, and a forked child makes its own."""

    def __init__(self, url: str) -> None:
        self.url = without_password(url)
        self._options, self._class = _connection_options(url, self.url)
        self._answer_seconds = self._options.pop("socket_timeout", ANSWER_SECONDS)
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._idle_blocking: list[Connection] = []
        self.confirmation: Confirmation | None = None
        """What stands behind commands that are run ``confirmed``; None where the server's own answer is enough."""
        self.troubles = 0
        """How often the server had to be asked again: it may have been restarted since."""
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def check_open(self) -> None:
        """Raise ``QueueClosed`` after ``close``."""
        if self._closed:
            raise QueueClosed("The storage was closed.")

    def run(self, command: Command) -> Any:
        """Run one command; see ``run_all``."""
        return self.run_all((command,))[0]

    def run_all(self, commands: Sequence[Command], *, confirmed: bool = False) -> list[Any]:
        """Send commands in one go and return what each answered; ``confirmed``, once replicas have confirmed them too.

        After trouble that may pass they are all sent again on a new connection, for ``RETRY_SECONDS``; each has to bear
        that. Raises the errors of ``faults.translate``, and ``NotReplicated``.
        """
        started = time.monotonic()
        failures = 0
        while True:
            self.check_open()
            try:
                return self._attempt(commands, self.confirmation if confirmed else None)
            except (redis.RedisError, OSError) as error:
                passing = is_passing(error)
                if passing:
                    self.troubles += 1
                    self._drop_idle()
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                if not passing or time.monotonic() + pause - started >= RETRY_SECONDS:
                    raise translate(error, self.url) from error
            time.sleep(pause)

    @contextmanager
    def blocking(self) -> Iterator[Connection]:
        """A connection for commands that block, up to ``BLOCK_SECONDS``. After an error it is not used again."""
        self.check_open()
        self._adopt()
        try:
            connection = self._idle_blocking.pop()
        except IndexError:
            connection = self._make(BLOCK_SECONDS + ANSWER_SECONDS)
        try:
            yield connection
        except BaseException:
            connection.disconnect()
            raise
        self._put_back(connection, self._idle_blocking)

    def check_server(self) -> None:
        """Look whether the server can be used. Raises ``StorageUnavailable`` or ``StorageIncompatible``."""
        try:
            info = parse_info(self._first_answer((b"INFO",)))
        except StorageIncompatible as error:
            if error.__cause__ is not None and code_of(error.__cause__) == "NOPERM":  # type: ignore[arg-type] # from Redis
                return  # Not permitted to look; the scripts will tell.
            raise
        version = info.get("redis_version", "0")
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_VERSION:
            raise StorageIncompatible(f"Redis at {self.url} is version {version}; 6.2 or later is needed")
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise StorageIncompatible(
                f"Redis at {self.url} has maxmemory-policy {policy} and would drop tasks when memory is short. "
                "Set it to noeviction: CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
            )
        if info.get("redis_mode") == "cluster":
            raise StorageIncompatible(f"Redis at {self.url} is a cluster, which redis:// does not serve")
        if info.get("role", "master") != "master":
            raise StorageUnavailable(self.url, "it is a read-only replica; name its primary")

    def _first_answer(self, command: Command) -> Any:
        """What a server says that may not be one: on a connection of its own, which does not wait long."""
        connection = self._make(CONNECT_SECONDS)
        try:
            (reply,) = _converse(connection, [command])
        except (redis.RedisError, OSError) as error:
            raise translate(error, self.url) from error
        finally:
            connection.disconnect()
        if isinstance(reply, redis.ResponseError):
            raise translate(reply, self.url) from reply
        return reply

    def close(self, farewell: Sequence[Command]) -> None:
        """Send a farewell, then close what is idle now, and what is in use when it is put back."""
        self._closed = True
        if farewell:
            with suppress(redis.RedisError, OSError):
                self._attempt(farewell)
        self._drop_idle()

    def _attempt(self, commands: Sequence[Command], confirmation: Confirmation | None = None) -> list[Any]:
        last = confirmation.commands(commands) if confirmation else []
        connection = self._borrow()
        try:
            replies = _converse(connection, [*commands, *last])
            unknown = [
                index for index, reply in enumerate(replies) if isinstance(reply, redis.exceptions.NoScriptError)
            ]
            for index in unknown:
                replies[index] = _converse(connection, [script_of(commands[index]).teach(commands[index])])[0]
            if unknown and last:  # which came too early
                replies[len(commands) :] = _converse(connection, last)
        except BaseException:
            connection.disconnect()
            raise
        trouble = next((reply for reply in replies if isinstance(reply, redis.ResponseError)), None)
        if trouble is not None and is_passing(trouble):
            connection.disconnect()
        else:
            self._put_back(connection, self._idle)
        if trouble is not None:
            raise trouble
        if confirmation is not None and last:
            confirmation.check(replies[-1])
        return replies[: len(commands)]

    def _borrow(self) -> Connection:
        self._adopt()
        try:
            return self._idle.pop()
        except IndexError:
            return self._make(self._answer_seconds)

    def _put_back(self, connection: Connection, idle: list[Connection]) -> None:
        idle.append(connection)
        if self._closed:
            self._drop_idle()

    def _make(self, answer_seconds: float) -> Connection:
        return self._class(**self._options, socket_timeout=answer_seconds)

    def _adopt(self) -> None:
        """In a forked child: leave the parent's connections alone."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._idle, self._idle_blocking = [], []

    def _drop_idle(self) -> None:
        for idle in (self._idle, self._idle_blocking):
            while idle:
                try:
                    idle.pop().disconnect()
                except IndexError:  # another thread took the last
                    break


def _converse(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    """Send commands and read all the answers; errors of single commands are among them."""
    packed = [hiredis.pack_command(cast("tuple[Any, ...]", command)) for command in commands]
    connection.send_packed_command(packed)
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(connection.read_response())
        except redis.ResponseError as error:
            replies.append(error)
    return replies


def parse_info(text: bytes) -> dict[str, str]:
    """The fields of an answer to ``INFO``."""
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _connection_options(url: str, shown: str) -> tuple[dict[str, Any], type[Connection]]:
    """What the driver needs to connect to a URL."""
    try:
        _check_parts(url, shown)
        options = parse_url(url)
        kind = options.pop("connection_class", Connection)
        options = {"socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True, "protocol": 2, **options}
        kind(**options)
    except InvalidStorageURL:
        raise
    except (ValueError, TypeError, redis.RedisError) as error:
        raise InvalidStorageURL(f"{shown!r} is not a Redis URL: {error}") from error
    return options, kind


def _check_parts(url: str, shown: str) -> None:
    """Refuse what the driver would pass over, or read as something else."""
    parts = urlsplit(url)
    unknown = [name for name, _ in parse_qsl(parts.query) if name not in _OPTIONS and not name.startswith("ssl_")]
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise InvalidStorageURL(f"{shown!r}: there is no option {unknown[0]!r}. There are: {known}, ssl_…")
    if parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise InvalidStorageURL(f"{shown!r}: the path is the number of the database, as in redis://host:6379/0")
