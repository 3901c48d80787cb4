"""SIGTERM and SIGINT as news that the main thread waits for."""

from __future__ import annotations

import math
import signal
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from typing_extensions import Self

STOPPING = (signal.SIGTERM, signal.SIGINT)
_SLICE_SECONDS = 0.25
"""How late a signal is noticed that comes at an unlucky moment."""
_ECHO_SECONDS = 0.5
"""``timeout``, ``uv run`` and others pass on a signal that the process group has got already; it counts once."""


class StopSignals:
    """While it is entered, signals do not interrupt the program; ``wait`` tells of them.

    A ``SimpleQueue`` carries them, since its ``put`` may interrupt its own ``get``; an ``Event`` could deadlock.
    """

    def __init__(self) -> None:
        self._news: SimpleQueue[int | None] = SimpleQueue()
        self._before: dict[signal.Signals, Any] = {}
        self._arrived_at = -_ECHO_SECONDS

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._arrived) for number in STOPPING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, timeout: float | None = None) -> int | None:
        """The number of the next signal; None when the time is over, or when ``notify`` was called."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                # In slices: a signal that comes just before the main thread blocks does not wake it, and its handler
                # runs only when the call is over.
                return self._news.get(timeout=max(0.0, min(left, _SLICE_SECONDS)))
            except Empty:
                if left <= _SLICE_SECONDS:
                    return None

    def notify(self) -> None:
        """End one ``wait``: from another thread, something else happened."""
        self._news.put(None)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._arrived_at >= _ECHO_SECONDS:
            self._arrived_at = now
            self._news.put(number)
