"""Who waits for what. An arrival wakes one waiter; moving the clock, or ``wake``, wakes them all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Waiter:
    __slots__ = ("event", "queues")

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = frozenset(queues)
        self.event = threading.Event()


class WaitingRoom:
    """Threads that wait for work, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def wait(self, queues: Sequence[str], timeout: float, ready: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """Block until ``ready()`` names queues, someone wakes this waiter, or the time is over."""
        waiter = _Waiter(queues)
        with self._lock:
            self._waiters.append(waiter)
        try:
            # Looked at after joining, so that an arrival in between is seen one way or the other.
            found = ready()
            if found or timeout <= 0:
                return found
            waiter.event.wait(timeout)
            return ready()
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def notify(self, queue: str) -> None:
        """Wake the longest waiting one that waits for this queue."""
        with self._lock:
            for waiter in self._waiters:
                if queue in waiter.queues:
                    self._waiters.remove(waiter)
                    waiter.event.set()
                    return

    def notify_all(self) -> None:
        """Wake everyone."""
        with self._lock:
            for waiter in self._waiters:
                waiter.event.set()
            self._waiters.clear()
