"""The one connection that writes, and the transactions on it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import apsw

from distributed_queue.core.clock import floor_ms
from distributed_queue.errors import QueueClosed, StorageError, StorageUnavailable
from distributed_queue.storage.sqlite import faults
from distributed_queue.storage.sqlite.connection import open_writer
from distributed_queue.storage.sqlite.groups import GroupCommit, Ticket
from distributed_queue.storage.sqlite.remembered import Remembered
from distributed_queue.storage.sqlite.step import Step
from distributed_queue.storage.sqlite.wal import WalKeeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.clock import Clock
    from distributed_queue.storage.sqlite.location import Location

T = TypeVar("T")


class _Outcome(NamedTuple):
    """What an operation gave, before it is committed."""

    result: object = None
    error: Exception | None = None
    news: dict[str, bool] = {}  # noqa: RUF012  # never changed


class Writer:
    """Executes operations, each as one atomic step. ``publish`` is told after each commit what changed."""

    def __init__(self, location: Location, clock: Clock, publish: Callable[[dict[str, bool]], None]) -> None:
        self._location = location
        self._clock = clock
        self._publish = publish
        self._groups = GroupCommit(self._execute)
        self._gate = threading.Lock()
        """Held by whoever uses the connection."""
        self._connection: apsw.Connection | None = None
        self._remembered = Remembered()
        self._wal = WalKeeper()
        self.synchronous = 0
        """``PRAGMA synchronous`` as the connection says it, once it was opened."""
        self._closed = False

    def run(self, operation: Callable[[Step], T]) -> T:
        """Execute an operation; its result once it is safe. If it raises, it has changed nothing."""
        return self._groups.run(operation)

    def open(self) -> None:
        """Reach the file now. Raises what is wrong with it."""
        with self._gate:
            self._reach()

    def close(self) -> None:
        """Close the connection for good. What waits gets ``QueueClosed``."""
        with self._gate:
            self._closed = True
            self._drop()

    def hold(self) -> None:
        """Close the connection and let nobody open it until ``let_go``: a fork is about to happen."""
        self._gate.acquire()
        self._drop()

    def let_go(self, *, in_child: bool) -> None:
        """Undo ``hold``. A child starts afresh: the threads that were about to write stayed with its parent."""
        if in_child:
            self._groups = GroupCommit(self._execute)
        self._gate.release()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _reach(self) -> apsw.Connection:
        if self._closed:
            raise QueueClosed("The storage was closed.")
        if self._connection is None:
            try:
                self._connection = open_writer(self._location)
            except apsw.Error as error:
                raise faults.translate(error, self._location) from error
            self.synchronous = self._connection.pragma("synchronous")
            self._wal.watch(self._connection)
            self._remembered.forget()
        return self._connection

    # Transactions

    def _execute(self, tickets: list[Ticket]) -> None:
        """Decide every ticket."""
        with self._gate:
            try:
                connection = self._reach()
                self._wal.keep(connection)
                if not self._commit(connection, tickets):
                    for ticket in tickets:
                        self._commit(connection, [ticket])
            except Exception as error:  # noqa: BLE001  # the file cannot be opened, or is closed: each caller is told
                _decide_rest(tickets, error)
            except BaseException:
                # An interrupt meant for this thread alone. Whether the commit was done is not known.
                _decide_rest(tickets, StorageUnavailable(self._location.url, "a commit was interrupted"))
                raise

    def _commit(self, connection: apsw.Connection, tickets: list[Ticket]) -> bool:
        """Execute operations in one transaction. False where one of them ruined it and each has to be tried alone."""
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            _decide_rest(tickets, self._translate(error))
            return True
        try:
            self._remembered.begun(connection)
            shared = len(tickets) > 1
            outcomes = [self._attempt(connection, ticket, shared=shared) for ticket in tickets]
            connection.execute("COMMIT")
            self._remembered.committed(connection)
        except BaseException as error:
            self._remembered.forget()
            with suppress(apsw.Error):
                connection.execute("ROLLBACK")
            if isinstance(error, apsw.Error) and shared:
                return False
            if not isinstance(error, Exception):
                raise
            _decide_rest(tickets, self._translate(error) if isinstance(error, apsw.Error) else error)
            return True
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.settle(outcome.result, outcome.error)
        for outcome in outcomes:
            if outcome.news:
                self._publish(outcome.news)
        return True

    def _attempt(self, connection: apsw.Connection, ticket: Ticket, *, shared: bool) -> _Outcome:
        """Execute one operation; where others share the transaction, so that its failure does not touch them."""
        step = Step(connection, self._remembered, floor_ms(self._clock.now()))
        if not shared:
            return _Outcome(ticket.operation(step), None, step.finish())
        connection.execute("SAVEPOINT operation")
        try:
            outcome = _Outcome(ticket.operation(step), None, step.finish())
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001  # it is raised again, to the operation's own caller
            self._remembered.forget()
            connection.execute("ROLLBACK TO operation")
            outcome = _Outcome(None, error)
        connection.execute("RELEASE operation")
        return outcome

    def _translate(self, error: apsw.Error) -> StorageError:
        system_error = self._connection.system_errno if self._connection is not None else 0
        translated = faults.translate(error, self._location, system_error)
        translated.__cause__ = error
        return translated


def _decide_rest(tickets: list[Ticket], error: Exception) -> None:
    for ticket in tickets:
        if not ticket.decided:
            ticket.settle(None, error)
