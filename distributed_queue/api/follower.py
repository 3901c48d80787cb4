"""Following the journal of one queue for everyone who streams it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import JournalEntry, Storage

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 5.0
_BATCH = 1000
_KEPT_CHANGES = 10_000
"""About how many of the latest changes are at hand; whoever is further behind reads the journal itself."""
_BACKOFF_SECONDS = (0.1, 2.0)


class Follower(threading.Thread):
    """Reads new entries as they come, keeps the latest, and tells its listeners that there are some.

    It ends with its last listener. A journal that was started anew ends it too: positions mean something else then.
    """

    def __init__(self, storage: Storage, queue: str, position: int) -> None:
        super().__init__(name=f"dq-events-{queue}", daemon=True)
        self._storage = storage
        self._queue = queue
        self._lock = threading.Lock()
        self._position = position
        self._latest: deque[JournalEntry] = deque()
        self._changes = 0
        self._listeners: list[Callable[[], None]] = []
        self._halt = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether it follows no more."""
        return self._halt.is_set()

    def listen(self, listener: Callable[[], None]) -> bool:
        """Have ``listener`` called from this thread whenever there is news; False if this has ended."""
        with self._lock:
            if not self.ended:
                self._listeners.append(listener)
            return not self.ended

    def leave(self, listener: Callable[[], None]) -> None:
        """Undo ``listen``."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
            if not self._listeners:
                self._halt.set()

    def after(self, position: int, limit: int) -> list[JournalEntry] | None:
        """Entries above ``position``, or None where they are older than what is at hand."""
        with self._lock:
            if position >= self._position:
                return []
            if not self._latest or self._latest[0].position > position + 1:
                return None
            skipped = position + 1 - self._latest[0].position
            return list(islice(self._latest, skipped, skipped + limit))

    def end(self) -> None:
        """Follow no more, and tell the listeners."""
        self._halt.set()
        self._tell()

    def run(self) -> None:
        """Follow until nobody listens."""
        backoff, longest = _BACKOFF_SECONDS
        while not self.ended:
            try:
                entries = self._storage.journal(self._queue, self._position, _BATCH, _WAIT_SECONDS)
                if entries:
                    self._keep(entries)
                    self._tell()
                elif self._storage.journal_tail(self._queue) < self._position:
                    self.end()
                backoff, _ = _BACKOFF_SECONDS
            except QueueClosed:
                self.end()
            except DistributedQueueError as error:
                logger.debug("following the journal of %s: %s", self._queue, error)
                self._halt.wait(backoff)
                backoff = min(longest, backoff * 2)

    def _keep(self, entries: list[JournalEntry]) -> None:
        with self._lock:
            if entries[0].position > self._position + 1:
                # Trimmed before they were read: what is at hand stays without gaps.
                self._latest.clear()
                self._changes = 0
            self._latest.extend(entries)
            self._changes += sum(len(entry.changes) for entry in entries)
            self._position = entries[-1].position
            while self._changes > _KEPT_CHANGES and len(self._latest) > 1:
                self._changes -= len(self._latest.popleft().changes)

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
