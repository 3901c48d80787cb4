"""The connections to one server, shared between threads, and what is said over one of them.

Commands are sent over the driver's ``Connection`` rather than its ``Redis`` client, which costs 50 µs a call more
(measured with redis-py 8.1).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import hiredis
import redis
from redis.exceptions import AskError, NoPermissionError, NoScriptError

from distributed_queue.storage.redis.addresses import ANSWER_SECONDS, CONNECT_SECONDS
from distributed_queue.storage.redis.faults import is_passing
from distributed_queue.storage.redis.scripts import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from redis.connection import Connection

    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.durability import Confirmation

    Command: TypeAlias = tuple[Arg, ...]

_FUNCTION_NOT_FOUND = "function not found"
_UNKNOWN_COMMAND = "unknown command"
BLOCK_SECONDS = 5.0
"""The longest that a command asks the server to block."""


class Pool:
    """Connections to one server. Thread-safe, and a forked child makes its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.has_functions = True
        """Whether scripts are called as functions: until the server says that it has none, or not for this user."""
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._idle_blocking: list[Connection] = []
        self._closed = False

    def borrow(self) -> Connection:
        """A connection, which no other thread has until it is given back."""
        self._adopt()
        try:
            return self._idle.pop()
        except IndexError:
            return self.make(self._target.answer_seconds)

    def give_back(self, connection: Connection) -> None:
        """Let others use a connection again, all of whose answers have been read."""
        self._keep(connection, self._idle)

    @contextmanager
    def blocking(self) -> Iterator[Connection]:
        """A connection for commands that block, up to ``BLOCK_SECONDS``. After an error it is not used again."""
        self._adopt()
        try:
            connection = self._idle_blocking.pop()
        except IndexError:
            connection = self.make(BLOCK_SECONDS + ANSWER_SECONDS)
        try:
            yield connection
        except BaseException:
            connection.disconnect()
            raise
        self._keep(connection, self._idle_blocking)

    def make(self, answer_seconds: float) -> Connection:
        """A new connection, which the caller closes."""
        return self._target.kind(**self._target.options, socket_timeout=answer_seconds)

    def is_current(self, connection: Connection) -> bool:  # noqa: ARG002  # where the server may change, it does
        """Whether a connection leads to where a new one would."""
        return True

    def first_answer(self, command: Command) -> Any:
        """What a server says that may not be one: on a connection of its own, which does not wait long."""
        connection = self.make(CONNECT_SECONDS)
        try:
            (reply,) = converse(connection, [command])
        finally:
            connection.disconnect()
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close what is idle: the server may have been restarted, or be another one by now."""
        for idle in (self._idle, self._idle_blocking):
            while idle:
                try:
                    idle.pop().disconnect()
                except IndexError:  # another thread took the last
                    break

    def _keep(self, connection: Connection, idle: list[Connection]) -> None:
        if not self.is_current(connection):
            connection.disconnect()
            return
        idle.append(connection)
        if self._closed:
            self.drop_idle()

    def _adopt(self) -> None:
        """In a forked child: leave the parent's connections alone."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._idle, self._idle_blocking = [], []


class Talk:
    """A batch of commands on a connection, sent first and answered later, so that several servers work at once.

    Scripts that the server does not know are taught. A confirmation is asked for behind the batch.
    """

    __slots__ = ("_commands", "_confirmation", "_connection", "_last", "_pool")

    def __init__(self, pool: Pool, commands: Sequence[Command], confirmation: Confirmation | None) -> None:
        self._pool = pool
        self._commands = commands
        self._confirmation = confirmation
        self._last = confirmation.commands(commands) if confirmation else []
        self._connection = pool.borrow()
        try:
            said = list(map(_as_function, commands)) if pool.has_functions else commands
            send(self._connection, [*said, *self._last] if self._last else said)
        except BaseException:
            self._connection.disconnect()
            raise

    def finish(self) -> list[Any]:
        """What each command was answered, errors among them. Raises ``NotReplicated``."""
        connection = self._connection
        try:
            replies, trouble = receive(connection, len(self._commands) + len(self._last))
            if trouble:
                trouble = self._teach(replies)
        except BaseException:
            connection.disconnect()
            raise
        if trouble and any(map(is_passing, trouble)):
            connection.disconnect()
        else:
            self._pool.give_back(connection)
        if not self._last:
            return replies
        replies, confirmed = replies[: len(self._commands)], replies[len(self._commands) :]
        refused = [reply for reply in replies if isinstance(reply, redis.ResponseError)]
        # A slot that was moved is no trouble: what was done here has to be confirmed all the same.
        if self._confirmation is not None and all(isinstance(each, AskError) for each in refused):
            self._confirmation.check(confirmed)
        return replies

    def _teach(self, replies: list[Any]) -> list[redis.ResponseError]:
        """Send scripts again that were not run for want of knowing them; the errors that are left."""
        unknown = [index for index, command in enumerate(self._commands) if _was_not_run(command, replies[index])]
        for index in unknown:
            replies[index] = self._send_again(self._commands[index], replies[index])
        if unknown and self._last:  # which came too early
            replies[len(self._commands) :] = converse(self._connection, self._last)
        return [reply for reply in replies if isinstance(reply, redis.ResponseError)]

    def _send_again(self, command: Command, reply: Any) -> Any:
        script, connection = script_of(command), self._connection
        if _FUNCTION_NOT_FOUND in str(reply).lower():
            load = (b"FUNCTION", b"LOAD", b"REPLACE", script.library.source)
            taught, reply = converse(connection, [load, script.as_function(command)])
            if not isinstance(taught, redis.ResponseError):
                return reply
        if not isinstance(reply, NoScriptError):
            # It has no functions, or this user may not call or teach any.
            self._pool.has_functions = False
            (reply,) = converse(connection, [command])
        if isinstance(reply, NoScriptError):
            (reply,) = converse(connection, [script.teach(command)])
        return reply

    def abandon(self) -> None:
        """Do not wait for the answers."""
        self._connection.disconnect()


def _as_function(command: Command) -> Command:
    return script_of(command).as_function(command) if command[0] == b"EVALSHA" else command


def _was_not_run(command: Command, reply: Any) -> bool:
    """Whether this is a script that the server does not know, or that this user may not call as a function."""
    if command[0] != b"EVALSHA" or not isinstance(reply, redis.ResponseError):
        return False
    if isinstance(reply, (NoScriptError, NoPermissionError)):
        return True
    text = str(reply).lower()
    return _FUNCTION_NOT_FOUND in text or _UNKNOWN_COMMAND in text


def converse(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    """Send commands and read all the answers; errors of single commands are among them."""
    send(connection, commands)
    return receive(connection, len(commands))[0]


def send(connection: Connection, commands: Sequence[Command]) -> None:
    """Send commands in one go."""
    connection.send_packed_command([hiredis.pack_command(cast("tuple[Any, ...]", command)) for command in commands])


def receive(connection: Connection, count: int) -> tuple[list[Any], list[redis.ResponseError]]:
    """Read so many answers, errors of single commands among them; and these errors once more."""
    replies: list[Any] = []
    trouble: list[redis.ResponseError] = []
    for _ in range(count):
        try:
            replies.append(connection.read_response())
        except redis.ResponseError as error:
            replies.append(error)
            trouble.append(error)
    return replies, trouble


def raise_trouble(replies: list[Any]) -> list[Any]:
    """The replies, of which none may be an error."""
    for reply in replies:
        if isinstance(reply, redis.ResponseError):
            raise reply
    return replies
