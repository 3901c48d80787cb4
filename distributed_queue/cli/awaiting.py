"""Starting while the storage is down: what is waited for, how long between two tries, and what is said meanwhile.

Waited for is a server that does not answer. What is wrong in a way that time does not mend ends the program at once:
an address that makes no sense, a password that is refused, a server that cannot be used as it is, a file's path.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from distributed_queue.cli.exits import ExitCode, explain
from distributed_queue.cli.supervisor import is_orphan
from distributed_queue.core.late import LateStorage
from distributed_queue.core.registry import open_storage, without_password
from distributed_queue.errors import DistributedQueueError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.cli.session import Session
    from distributed_queue.cli.signals import StopSignals
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import Storage

logger = logging.getLogger("distributed_queue.program")

_PAUSES = (0.25, 5.0)
"""Seconds between two tries: the first, doubled up to the second, and up to half of it less, at random."""
_REMIND_SECONDS = 60.0
_FILES = ("sqlite:", "memory:")


class Patience:
    """Between two tries: says once what is waited for, again when that changes, and now and then that it still is."""

    def __init__(self) -> None:
        self._pause, self._longest = _PAUSES
        self._said = ""
        self._said_at = float("-inf")

    def pause(self, error: StorageUnavailable, doing: str = "") -> float:
        """Seconds until the next try. ``doing`` says what the program does meanwhile."""
        now = time.monotonic()
        if error.cause != self._said or now - self._said_at >= _REMIND_SECONDS:
            self._said, self._said_at = error.cause, now
            logger.warning("waiting for the storage%s: %s", doing, error)
        seconds = self._pause * (1 - random.random() / 2)  # noqa: S311 - spreads tries, hides nothing
        self._pause = min(self._longest, self._pause * 2)
        return seconds


def is_awaited(session: Session, error: DistributedQueueError) -> bool:
    """Whether time alone may mend it."""
    if not isinstance(error, StorageUnavailable) or session.storage_url.startswith(_FILES):
        return False
    return explain(error).code is not ExitCode.AUTH


def await_queue(session: Session, signals: StopSignals) -> HybridQueue | None:
    """The queue for workers, as soon as its storage answers. Raises as ``queue``.

    None where a signal comes first, or the supervisor of this process is gone.
    """
    patience = Patience()
    while True:
        try:
            return session.shared_queue(configure=True)
        except StorageUnavailable as error:
            if not is_awaited(session, error):
                raise
            if signals.wait(patience.pause(error)) is not None or is_orphan():
                return None


def queue_at_once(session: Session) -> HybridQueue:
    """The queue, opened if its storage answers, else with a ``LateStorage`` for ``Opening``. Raises as ``queue``."""
    try:
        return session.queue(configure=True)
    except StorageUnavailable as error:
        if not is_awaited(session, error):
            raise
        late = LateStorage(without_password(session.storage_url), error.cause)
        return session.queue(configure=True, storage=cast("Storage", late))


@contextmanager
def opening_queue(session: Session) -> Iterator[HybridQueue]:
    """As ``queue_at_once``, with an ``Opening`` of its own."""
    with queue_at_once(session) as queue:
        opening = Opening(session, queue, opened=lambda: None, failed=lambda: None)
        opening.begin()
        try:
            yield queue
        finally:
            opening.end()


class Opening(threading.Thread):
    """Opens the storage of a queue that was made without it, and calls ``opened`` then; at once where it is there.

    ``error`` is what no time mends; ``failed`` is called with it.
    """

    def __init__(
        self, session: Session, queue: HybridQueue, opened: Callable[[], object], failed: Callable[[], object]
    ) -> None:
        super().__init__(name="dq-opening", daemon=True)
        self.error: Exception | None = None
        self._session = session
        self._queue = queue
        self._opened = opened
        self._failed = failed
        self._halt = threading.Event()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Call ``opened`` now, or begin to try."""
        if self._queue.storage.awaited:
            self.start()
        else:
            self._opened()

    def end(self) -> None:
        """Try no more; ``opened`` is not called after this."""
        self._halt.set()
        with self._lock:
            pass

    def run(self) -> None:
        """Try until it is there."""
        patience = Patience()
        late = self._queue.storage
        while True:
            try:
                if late.awaited:
                    cast("LateStorage", late).attach(self._open())
                self._queue.prepare()
                with self._lock:
                    if not self._halt.is_set():
                        logger.info("the storage is there: %s", late.url)
                        self._opened()
            except StorageUnavailable as error:
                if is_awaited(self._session, error):
                    if self._halt.wait(patience.pause(error, "; requests are refused meanwhile")):
                        return
                    continue
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - the main thread raises it
                self._fail(error)
            return

    def _open(self) -> Storage:
        return open_storage(self._session.storage_url, durability=self._session.settings.durability)

    def _fail(self, error: Exception) -> None:
        if not self._halt.is_set():
            self.error = error
            self._failed()
