"""Group commit: threads that write at the same time share a transaction, and thus the wait for the disk.

One of them leads: it executes what all have asked for, commits, and hands the lead to the first of those that came
meanwhile. Leader and followers as in PostgreSQL's and MySQL's group commit; no thread of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.storage.sqlite.step import Step

T = TypeVar("T")

GROUP_LIMIT = 256
"""The most operations in one transaction: it bounds how long the first waits for the last."""


class Ticket:
    """One thread's operation on its way through a commit."""

    __slots__ = ("decided", "error", "leads", "operation", "result", "turn")

    def __init__(self, operation: Callable[[Step], Any]) -> None:
        self.operation = operation
        self.result: Any = None  # the operation's own type
        self.error: BaseException | None = None
        self.decided = False
        """Whether the operation was committed, or failed."""
        self.leads = False
        """Whether its thread is to lead, or does."""
        self.turn = threading.Lock()
        """Released when the ticket is decided, or is the one to lead."""
        self.turn.acquire()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Note how it went."""
        self.result, self.error, self.decided = result, error, True


class GroupCommit:
    """Brings operations together. ``execute`` is called by one thread at a time, and decides every ticket given."""

    def __init__(self, execute: Callable[[list[Ticket]], None]) -> None:
        self._execute = execute
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._led = False

    def run(self, operation: Callable[[Step], T]) -> T:
        """Execute an operation together with those of other threads; its result, once it is committed."""
        ticket = Ticket(operation)
        try:
            with self._lock:
                self._waiting.append(ticket)
                if not self._led:
                    ticket.leads = self._led = True
            if not ticket.leads:
                ticket.turn.acquire()
            if not ticket.decided:
                self._lead(ticket)
        except BaseException:
            self._withdraw(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        return cast("T", ticket.result)

    def _lead(self, own: Ticket) -> None:
        group: list[Ticket] = []
        try:
            with self._lock:
                group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            self._execute(group)
        finally:
            self._pass_on(own)
            for ticket in group:
                if ticket is not own:
                    ticket.turn.release()

    def _pass_on(self, own: Ticket) -> None:
        """Let the first of those that wait lead, if any do."""
        with self._lock:
            own.leads = False
            self._led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].turn.release()

    def _withdraw(self, ticket: Ticket) -> None:
        """Its thread was interrupted: take back the operation, unless a leader has it, and pass on its own lead."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        if ticket.leads:
            self._pass_on(ticket)
