"""Hears of new work while the worker has room for some."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Storage

logger = logging.getLogger("distributed_queue.worker")

_WAIT_SECONDS = 10.0
"""Longest single call of ``Storage.wait``."""


class Listener(threading.Thread):
    """Blocks in ``Storage.wait`` while it is armed, and reports once; then it has to be armed again."""

    def __init__(self, name: str, storage: Storage, report: Callable[[tuple[str, ...]], None]) -> None:
        super().__init__(name=f"dq-{name}-listener", daemon=True)
        self._storage = storage
        self._report = report
        self._changed = threading.Condition()
        self._queues: tuple[str, ...] | None = None
        self._stopping = False

    def arm(self, queues: tuple[str, ...]) -> None:
        """Report when one of these queues may have work."""
        with self._changed:
            self._queues = queues
            self._changed.notify()

    def disarm(self) -> None:
        """Report nothing more; a wait that is under way may still do so."""
        with self._changed:
            self._queues = None

    def stop(self) -> None:
        """End the thread soon."""
        with self._changed:
            self._stopping = True
            self._queues = None
            self._changed.notify()
        self._storage.wake()

    def run(self) -> None:
        """Wait while armed, until stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queues is not None or self._stopping)
                if self._stopping:
                    return
                queues = self._queues or ()
            try:
                arrived = self._storage.wait(queues, _WAIT_SECONDS)
            except QueueClosed:
                return
            except DistributedQueueError as error:
                # The pump meets the same trouble, backs off, and arms us again once it is over.
                logger.debug("waiting for work: %s", error)
                self.disarm()
                continue
            if arrived:
                with self._changed:
                    if self._queues is queues:
                        self._queues = None
                self._report(arrived)
