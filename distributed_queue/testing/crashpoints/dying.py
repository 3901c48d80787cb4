"""A process that dies at the n-th of its steps, and does nothing any more."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from distributed_queue.storage.redis.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed_queue.core.storage import Storage
    from distributed_queue.storage.redis.wire import Command

_PASSING = frozenset({"close", "wake", "wait"})
"""Verbs that leave nothing behind."""


class Killed(BaseException):
    """The process is dead. Not an ``Exception``: nobody who handles errors gets to see it."""


def by_exception() -> None:
    """Die in such a way that the process that runs the trial lives on."""
    raise Killed


def by_signal() -> None:
    """Die for good."""
    os.kill(os.getpid(), signal.SIGKILL)


class Death:
    """Counts the moments at which the process could die, from 1, and lets it die at the one given."""

    def __init__(self, at: int | None = None, die: Callable[[], None] = by_exception) -> None:
        self.moments = 0
        self.dead = False
        self.at = at
        self._die = die

    def moment(self) -> None:
        """The process could die now."""
        self.moments += 1
        if self.dead or self.moments == self.at:
            self.dead = True
            self._die()


class DyingStorage:
    """Passes every verb on to a storage, and may die before it and after it. Stands in for a ``Storage``."""

    def __init__(self, storage: Storage, death: Death) -> None:
        self._storage = storage
        self._death = death

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._storage, name)
        if not callable(value) or name.startswith("_"):
            return value

        def verb(*arguments: Any, **named: Any) -> Any:
            if name in _PASSING:
                return self._pass(value, *arguments, **named)
            self._death.moment()
            answer = value(*arguments, **named)
            self._death.moment()
            return answer

        return verb

    def _pass(self, value: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self._death.dead:
            raise Killed
        return value(*arguments, **named)


@contextmanager
def dying_on_the_wire(death: Death) -> Iterator[None]:
    """Let the process die between any two commands that it sends to a Redis, and before the answer to the last.

    The commands that were sent are done: their answers are read, and lost.
    """
    send = Connection.send

    def dying(self: Connection, commands: Sequence[Command]) -> None:
        for sent in range(len(commands) + 1):
            try:
                death.moment()
            except Killed:
                if sent:
                    send(self, commands[:sent])
                    self.receive(sent)
                raise
        send(self, commands)

    with patch.object(Connection, "send", dying):
        yield


@contextmanager
def dying_at_commits(death: Death) -> Iterator[None]:
    """Let the process die before and after each ``COMMIT`` of SQLite. ``death`` has to be for good."""
    import apsw  # noqa: PLC0415 - only where that engine is used

    def watch(connection: apsw.Connection) -> None:
        connection.trace_v2(
            apsw.SQLITE_TRACE_STMT | apsw.SQLITE_TRACE_PROFILE,
            lambda event: death.moment() if event.get("sql") == "COMMIT" else None,
        )

    apsw.connection_hooks.append(watch)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(watch)
