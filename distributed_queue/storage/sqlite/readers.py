"""Connections that only read, so that nobody who reads ever waits for a writer."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from distributed_queue.errors import QueueClosed
from distributed_queue.storage.sqlite import faults
from distributed_queue.storage.sqlite.connection import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.storage.sqlite.location import Location

_KEPT = 4
"""Idle connections kept open."""


class Readers:
    """Lends connections; opens one more when all are lent."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._lock = threading.Condition(threading.Lock())
        self._lent = 0
        self._idle: list[apsw.Connection] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """A connection to use and give back. SQLite's errors are translated."""
        connection = self._take()
        try:
            connection = connection or open_reader(self._location)
            yield connection
        except apsw.Error as error:
            system_error = 0
            if connection is not None:
                system_error = connection.system_errno
                connection.close()
                connection = None
            raise faults.translate(error, self._location, system_error) from error
        finally:
            self._give_back(connection)

    @contextmanager
    def snapshot(self) -> Iterator[_Snapshot]:
        """Several reads of one state."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            try:
                yield _Snapshot(connection)
            finally:
                connection.execute("COMMIT")

    def read(self, statement: str, /, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self.connection() as connection:
            return connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close for good; connections that are lent are closed when they come back."""
        with self._lock:
            self._closed = True
            self._drop()

    def hold(self) -> None:
        """Wait for what is lent, close all, and lend nothing until ``let_go``: a fork is about to happen."""
        self._lock.acquire()
        self._lock.wait_for(lambda: not self._lent)
        self._drop()

    def let_go(self) -> None:
        """Undo ``hold``."""
        self._lock.release()

    def _drop(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> apsw.Connection | None:
        """Lend an idle connection, or leave to open one where there is none."""
        with self._lock:
            if self._closed:
                raise QueueClosed("The storage was closed.")
            self._lent += 1
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: apsw.Connection | None) -> None:
        with self._lock:
            if connection is not None and not self._closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                connection = None
            if connection is not None:
                connection.close()
            self._lent -= 1
            self._lock.notify_all()


class _Snapshot:
    """Reads within one transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __call__(self, statement: str, /, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()
