"""Time. The only place that reads the wall clock; storages take a ``Clock`` so that tests can hand in their own.

Inside storages, times are whole milliseconds since the epoch. A time that something must not happen *before* is
rounded up and the present is rounded down, so nothing is ever early.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Where a storage gets the time from."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


class ManualClock:
    """A clock that stands still until it is moved. For tests: nothing has to sleep."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock on and wake whoever waits for it."""
        with self._lock:
            self._now = round(self._now + seconds, 6)
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each move."""
        with self._lock:
            self._listeners.append(listener)


def floor_ms(seconds: float) -> int:
    """The present, in whole milliseconds: rounded down."""
    return math.floor(seconds * 1000 + 1e-3)


def ceil_ms(seconds: float) -> int:
    """A due time or a delay, in whole milliseconds: rounded up.

    The small slack takes off what the multiplication of a float near 1.7e9 adds (its spacing is 0.24 µs).
    """
    return math.ceil(seconds * 1000 - 1e-3)
