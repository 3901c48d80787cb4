"""Who waits for what. An arrival wakes one waiter; moving the clock, or ``wake``, wakes them all."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Outlook(NamedTuple):
    """What there is for a waiter."""

    queues: tuple[str, ...]
    """Those that may have work now."""
    seconds: float | None
    """Until one of them may have some; None if nothing is foreseen."""


class _Waiter:
    __slots__ = ("dismissed", "event", "queues")

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = frozenset(queues)
        self.event = threading.Event()
        self.dismissed = False


class WaitingRoom:
    """Threads that wait for work, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def wait(self, queues: Sequence[str], timeout: float, look: Callable[[], Outlook]) -> tuple[str, ...]:
        """Block until ``look()`` names queues, or everyone is woken, or the time is over."""
        end = time.monotonic() + timeout
        waiter = _Waiter(queues)
        try:
            while True:
                self._join(waiter)
                # After joining, so that an arrival in between is seen one way or the other.
                found, due = look()
                left = end - time.monotonic()
                if found or left <= 0 or waiter.dismissed:
                    return found
                waiter.event.wait(left if due is None else min(left, due))
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def queues(self) -> set[str]:
        """The queues that someone waits for."""
        with self._lock:
            return {queue for waiter in self._waiters for queue in waiter.queues}

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
                waiter.dismissed = True
                waiter.event.set()
            self._waiters.clear()

    def _join(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter not in self._waiters and not waiter.dismissed:
                waiter.event.clear()
                self._waiters.append(waiter)
