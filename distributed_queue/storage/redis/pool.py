"""The connections to one server, shared between threads, and what is said over one of them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed_queue.storage.redis.faults import is_passing
from distributed_queue.storage.redis.replies import Redirected, ServerError, errors_in, raise_trouble
from distributed_queue.storage.redis.scripts import script_of
from distributed_queue.storage.redis.wire import ANSWER_SECONDS, CONNECT_SECONDS, Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.durability import Confirmation
    from distributed_queue.storage.redis.wire import Command

_FUNCTION_NOT_FOUND = "function not found"
_UNKNOWN_COMMAND = "unknown command"
_RUNNING_SCRIPTS = frozenset({b"EVALSHA", b"FCALL"})
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
            connection.close()
            raise
        self._keep(connection, self._idle_blocking)

    def said(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Commands as this server takes them: scripts as functions, where it has them."""
        return list(map(_as_function, commands)) if self.has_functions else commands

    def make(self, answer_seconds: float) -> Connection:
        """A new connection, which the caller closes."""
        return Connection(self._target.endpoint, answer_seconds)

    def is_current(self, connection: Connection) -> bool:  # noqa: ARG002  # where the server may change, it does
        """Whether a connection leads to where a new one would."""
        return True

    def first_answer(self, command: Command) -> Any:
        """What a server says that may not be one: on a connection of its own, which does not wait long."""
        connection = self.make(CONNECT_SECONDS)
        try:
            return raise_trouble(connection.converse([command]))[0]
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close what is idle: the server may have been restarted, or be another one by now."""
        for idle in (self._idle, self._idle_blocking):
            while idle:
                try:
                    idle.pop().close()
                except IndexError:  # another thread took the last
                    break

    def _keep(self, connection: Connection, idle: list[Connection]) -> None:
        if not self.is_current(connection):
            connection.close()
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
            said = pool.said(commands)
            self._connection.send([*said, *self._last] if self._last else said)
        except BaseException:
            self._connection.close()
            raise

    def finish(self) -> list[Any]:
        """What each command was answered, errors among them. Raises ``NotReplicated``."""
        connection = self._connection
        try:
            replies = connection.receive(len(self._commands) + len(self._last))
            trouble = errors_in(replies)
            if trouble:
                trouble = self._teach(replies)
        except BaseException:
            connection.close()
            raise
        if trouble and any(map(is_passing, trouble)):
            connection.close()
        else:
            self._pool.give_back(connection)
        if not self._last:
            return replies
        replies, confirmed = replies[: len(self._commands)], replies[len(self._commands) :]
        # A slot that was moved is no trouble: what was done here has to be confirmed all the same.
        if self._confirmation is not None and all(isinstance(each, Redirected) for each in errors_in(replies)):
            self._confirmation.check(confirmed)
        return replies

    def _teach(self, replies: list[Any]) -> list[ServerError]:
        """Send scripts again that were not run for want of knowing them; the errors that are left."""
        unknown = [index for index, command in enumerate(self._commands) if was_not_run(command, replies[index])]
        for index in unknown:
            replies[index] = self._send_again(self._commands[index], replies[index])
        if unknown and self._last:  # which came too early
            replies[len(self._commands) :] = self._connection.converse(self._last)
        return errors_in(replies)

    def _send_again(self, command: Command, reply: Any) -> Any:
        script, connection = script_of(command), self._connection
        if _FUNCTION_NOT_FOUND in str(reply).lower():
            load = (b"FUNCTION", b"LOAD", b"REPLACE", script.library.source)
            taught, reply = connection.converse([load, script.as_function(command)])
            if not isinstance(taught, ServerError):
                return reply
        if not _is_unknown(reply):
            # It has no functions, or this user may not call or teach any.
            self._pool.has_functions = False
            (reply,) = connection.converse([command])
        if _is_unknown(reply):
            (reply,) = connection.converse([script.teach(command)])
        return reply

    def abandon(self) -> None:
        """Do not wait for the answers."""
        self._connection.close()


def _as_function(command: Command) -> Command:
    return script_of(command).as_function(command) if command[0] == b"EVALSHA" else command


def was_not_run(command: Command, reply: Any) -> bool:
    """Whether this is a script that the server does not know, or that this user may not call as a function."""
    if command[0] not in _RUNNING_SCRIPTS or not isinstance(reply, ServerError):
        return False
    if reply.code in ("NOSCRIPT", "NOPERM"):
        return True
    text = str(reply).lower()
    return _FUNCTION_NOT_FOUND in text or _UNKNOWN_COMMAND in text


def _is_unknown(reply: Any) -> bool:
    """Whether this was a script that the server does not know by its digest."""
    return isinstance(reply, ServerError) and reply.code == "NOSCRIPT"
