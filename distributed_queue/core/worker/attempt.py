"""One attempt at a task: what pump, slots, event loop and keeper hand to each other."""

from __future__ import annotations

import ctypes
import threading
import time
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from distributed_queue.core.notes import Note, encode_note
from distributed_queue.core.storage import Lease, Outcome, Settlement
from distributed_queue.core.task import from_claimed
from distributed_queue.core.worker.logbook import LogBook

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from distributed_queue.core.notes import LogLine
    from distributed_queue.core.payload import Policies
    from distributed_queue.core.storage import ClaimedTask
    from distributed_queue.core.task import Task
    from distributed_queue.errors import HandlerError

_set_async_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)
_NONE = ctypes.py_object()
"""NULL: takes back an exception that has not been raised yet."""


class State(IntEnum):
    """How far an attempt is."""

    WAITING = 0
    RUNNING = 1
    ENDED = 2


# Members by name of their own: up to Python 3.11, looking one up on its class costs more than the rest of ``begin``.
_WAITING, _RUNNING, _ENDED = State


class Attempt:
    """A claimed task on its way through the worker. ``end`` and ``give_up`` race; exactly one of them wins."""

    __slots__ = (
        "_lock",
        "_loop_task",
        "_stop",
        "_task",
        "_thread_id",
        "claimed",
        "interruption",
        "lease_end",
        "log",
        "policies",
        "progress",
        "seconds",
        "settlement",
        "started",
        "state",
        "stored_lines",
        "stored_progress",
        "time_limit",
    )

    def __init__(self, claimed: ClaimedTask, lease_end: float) -> None:
        self.claimed = claimed
        self.lease_end = lease_end
        """When the lease ends, on this process's monotonic clock; counted from before the claim was sent."""
        self.state = _WAITING
        self.started = 0.0
        self.seconds = 0.0
        """How long the handler ran."""
        self.time_limit: float | None = None
        """When the handler has to be done, on the monotonic clock."""
        self.policies: Policies | None = None
        """What its body asks for; None until that was read."""
        self.progress: bytes | None = None
        """What the handler last said of its progress, encoded."""
        self.stored_progress: bytes | None = None
        """What of it is in the storage."""
        self.log: LogBook | None = None
        """What the handler has logged; None where it has not."""
        self.stored_lines = 0
        """How many lines of the log there were when it was stored."""
        self.interruption: type[HandlerError] | None = None
        """Why the handler was told to stop."""
        self.settlement: Settlement | None = None
        """What to report; None after the end means that there is nothing to report."""
        self._lock = threading.Lock()
        self._thread_id: int | None = None
        self._loop_task: asyncio.Task[Any] | None = None
        self._stop: Callable[[], None] | None = None
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """The task as users see it; made when first asked for, which most handlers never do.

        Raises ``InvalidTask`` where its body cannot be read.
        """
        if self._task is None:
            self._task = from_claimed(self.claimed)
        return self._task

    @property
    def headers(self) -> dict[str, str] | None:
        """Those of the task, which is not made for them where its body was read."""
        return self.task.headers if self.policies is None else self.policies.headers

    @property
    def lease(self) -> Lease:
        """The lease that the attempt works under."""
        return Lease(self.claimed.queue, self.claimed.id, self.claimed.attempt)

    @property
    def place(self) -> int | asyncio.Task[Any] | None:
        """The thread or the task of the event loop that the handler runs in; None if that is a child process."""
        return self._thread_id if self._loop_task is None else self._loop_task

    def begin(self, loop_task: asyncio.Task[Any] | None = None, stop: Callable[[], None] | None = None) -> bool:
        """The handler is about to run. False if it must not any more.

        It runs in this thread, in a task of the event loop, or elsewhere, where ``stop`` ends it.
        """
        with self._lock:
            if self.state is not _WAITING:
                return False
            self.state = _RUNNING
            self.started = time.monotonic()
            self._loop_task, self._stop = loop_task, stop
            if loop_task is None and stop is None:
                self._thread_id = threading.get_ident()
            return True

    def end(self) -> bool:
        """The handler is done; nothing will interrupt this thread any more. False if it was given up meanwhile."""
        with self._lock:
            if self._thread_id is not None and self.interruption is not None:
                _set_async_exception(self._thread_id, _NONE)
            self.seconds = time.monotonic() - self.started
            ended = self.state is _RUNNING
            self.state = _ENDED
            return ended

    def interrupt(self, reason: type[HandlerError]) -> bool:
        """Tell a running handler to stop by raising ``reason`` in it. False if it does not run or was told before.

        On the event loop it takes effect at the next ``await``, in a thread at the next bytecode: a call into C that
        blocks is not interrupted. A child process is killed.
        """
        with self._lock:
            if self.state is not _RUNNING or self.interruption is not None:
                return False
            self._raise(reason)
            return True

    def give_up(self, settlement: Settlement | None, reason: type[HandlerError]) -> bool:
        """End the attempt without its handler, whose outcome will not count. False if it has ended.

        If the handler runs and was not told to stop yet, it is told now, by raising ``reason``.
        """
        with self._lock:
            if self.state is _ENDED:
                return False
            if self.state is _RUNNING and self.interruption is None:
                self._raise(reason)
            self.state = _ENDED
            self.settlement = settlement
            return True

    def withdraw(self) -> bool:
        """Give the task back if its handler has not begun."""
        with self._lock:
            if self.state is not _WAITING:
                return False
            self.state = _ENDED
            self.settlement = self.report(Outcome.RELEASE)
            return True

    def _raise(self, reason: type[HandlerError]) -> None:
        self.interruption = reason
        if self._loop_task is not None:
            self._loop_task.get_loop().call_soon_threadsafe(self._loop_task.cancel)
        elif self._stop is not None:
            self._stop()
        elif self._thread_id is not None:
            _set_async_exception(self._thread_id, reason)

    def report(  # noqa: PLR0913 - what a settlement is made of
        self,
        outcome: Outcome,
        *,
        result: bytes | None = None,
        error: bytes | None = None,
        delay: float = 0.0,
        reason: str | None = None,
        note: bytes | None = None,
    ) -> Settlement:
        """A settlement of this attempt."""
        claimed = self.claimed
        if note is None and self.log is not None:
            note = self.note()
        return Settlement(claimed.queue, claimed.id, claimed.attempt, outcome, result, error, delay, reason, note)

    def note(self, error: BaseException | None = None, traceback: str | None = None) -> bytes:
        """What is to be told of this attempt in the task's history."""
        ran = self.state is _ENDED and self.started > 0.0
        note = Note.of(round(self.seconds, 6) if ran else None, error, traceback)
        if self.log is not None:
            note = note.with_log(self.log.lines(), self.log.said)
        return encode_note(note)

    def say(self, line: LogLine) -> None:
        """Keep a line of the handler's log."""
        if self.log is None:
            self.log = LogBook()
        self.log.add(line)
