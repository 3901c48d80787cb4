"""What handlers log: lines that are kept with the attempt."""

from __future__ import annotations

import itertools
import logging
from collections import deque

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.notes import MAX_LINES, LogLine
from distributed_queue.core.worker.context import running_attempt

_clock = SystemClock()


class LogBook:
    """The latest lines of one attempt.

    Thread-safe, and without a lock: an interruption may be raised at any bytecode of a handler's thread, and would
    leave it taken for ever.
    """

    def __init__(self) -> None:
        self._lines: deque[tuple[int, LogLine]] = deque(maxlen=MAX_LINES)
        self._numbers = itertools.count(1)

    @property
    def said(self) -> int:
        """How many lines there were so far."""
        return self._lines[-1][0] if self._lines else 0

    def add(self, line: LogLine) -> None:
        """Enter a line; the oldest gives way."""
        self._lines.append((next(self._numbers), line))

    def lines(self) -> list[LogLine]:
        """Those that are still there, the oldest first."""
        return [line for _, line in self._lines.copy()]


class TaskLogHandler(logging.Handler):
    """Keeps what is logged by the handler of a task with its attempt; other records pass by.

    Opt in by ``logging.getLogger().addHandler(TaskLogHandler())``, in a module that the worker imports. What the
    handler's own threads log is not known as its.
    """

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        """None is needed: see ``LogBook``."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        attempt = running_attempt.get(None)
        if attempt is None:
            return
        try:
            attempt.say(LogLine.of(record.created, record.levelname, self.format(record)))
        except Exception:  # noqa: BLE001 - the user's format may fail: the logging module reports that
            self.handleError(record)
