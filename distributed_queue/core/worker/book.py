"""All attempts that the worker holds a lease for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from distributed_queue.core.worker.attempt import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distributed_queue.core.worker.attempt import Attempt


class AttemptBook:
    """A set of attempts that tells when it is empty. Thread-safe; changed a batch at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._attempts: set[Attempt] = set()

    def __len__(self) -> int:
        return len(self._attempts)

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Enter attempts."""
        with self._changed:
            self._attempts.update(attempts)

    def discard(self, attempts: Iterable[Attempt]) -> None:
        """Strike out attempts that are settled, or that there is nothing to settle of."""
        with self._changed:
            self._attempts.difference_update(attempts)
            if not self._attempts:
                self._changed.notify_all()

    def all(self) -> list[Attempt]:
        """The attempts at this moment."""
        with self._changed:
            return list(self._attempts)

    def running(self) -> list[Attempt]:
        """Those whose handlers run."""
        return [attempt for attempt in self.all() if attempt.state is State.RUNNING]

    def wait_empty(self, timeout: float) -> bool:
        """Block until there are none; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._attempts, timeout)
