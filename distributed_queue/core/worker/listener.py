"""Hears of new work while the worker has room for some.

A worker that takes from one queue does not ask for news: it lets the listener claim as soon as there is work, which
saves a round trip. Of several queues, the one with news is to be asked in its turn, so the pump does that.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Storage
    from distributed_queue.core.worker.courier import Errand

logger = logging.getLogger("distributed_queue.worker")

_WAIT_SECONDS = 2.0
"""Longest single call of ``Storage.wait``: how long a missed wake may go unnoticed."""
_CLAIM_WAIT_SECONDS = 5.0
_SHARE_OF_LEASE = 1 / 6
"""A claim that waits may count a lease from when it began to wait, so it waits only for a part of one."""
_WAKE_SECONDS = 0.05
_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class Listener(threading.Thread):
    """Blocks in ``Storage.wait`` while it is armed, and reports once; then it has to be armed again.

    An errand that waits is carried out once, too, and delivered whatever came of it.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        report: Callable[[tuple[str, ...]], None],
        deliver: Callable[[Errand], None],
    ) -> None:
        super().__init__(name=f"dq-{name}-listener", daemon=True)
        self._storage = storage
        self._report = report
        self._deliver = deliver
        self._changed = threading.Condition()
        self._queues: tuple[str, ...] | None = None
        self._errand: Errand | None = None
        self._stopping = False

    def arm(self, queues: tuple[str, ...]) -> None:
        """Report when one of these queues may have work."""
        with self._changed:
            self._queues = queues
            self._changed.notify()

    def send(self, errand: Errand) -> None:
        """Carry out an errand that waits; there is none yet."""
        with self._changed:
            self._errand = errand
            self._changed.notify()

    def disarm(self) -> None:
        """Report nothing more; a wait that is under way may still do so."""
        with self._changed:
            self._queues = None

    def stop(self, timeout: float) -> None:
        """End the thread, and wait until it has ended or ``timeout`` seconds are over."""
        with self._changed:
            self._stopping = True
            self._queues = None
            self._changed.notify()
        end = time.monotonic() + timeout
        while self.is_alive() and time.monotonic() < end:
            # More than once: a wake that comes just before the thread waits is missed.
            self._storage.wake()
            self.join(_WAKE_SECONDS)

    def run(self) -> None:
        """Wait while armed, until stopped."""
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._errand or self._queues is not None or self._stopping)
                errand, self._errand = self._errand, None
                if self._stopping:
                    return
                queues = self._queues or ()
            if errand is not None:
                self._carry_out(errand)
                continue
            try:
                arrived = self._storage.wait(queues, _WAIT_SECONDS)
            except QueueClosed:
                return
            except DistributedQueueError as error:
                logger.debug("waiting for work: %s", error)
            except Exception:
                logger.exception("waiting for work failed; the worker goes on")
            else:
                pause = _SHORTEST_PAUSE_SECONDS
                if arrived:
                    self._tell(queues, arrived)
                continue
            self._pause(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
            # The pump claims then: it meets the same trouble and goes on trying, or arms us again.
            self._tell(queues, ())

    def _carry_out(self, errand: Errand) -> None:
        assert errand.request is not None  # noqa: S101  # it waits for a claim
        errand.started = time.monotonic()
        errand.run_when_ready(self._storage, min(_CLAIM_WAIT_SECONDS, errand.request.lease_seconds * _SHARE_OF_LEASE))
        self._deliver(errand)

    def _tell(self, queues: tuple[str, ...], arrived: tuple[str, ...]) -> None:
        with self._changed:
            if self._queues is queues:
                self._queues = None
        self._report(arrived)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)
