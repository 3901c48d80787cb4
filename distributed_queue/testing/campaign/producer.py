"""A client that submits, and submits again what got no answer: the same tasks, with the same ids."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from distributed_queue.errors import QueueFull, StorageError

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task
    from distributed_queue.testing.campaign.workload import Workload

_DIGITS = 12
_PAUSE_SECONDS = 0.03
_BEHIND_SECONDS = 2.0
"""As much as this is made up for when submitting was held up."""


class Producer:
    """Submits batch after batch at ``rate`` tasks a second, or as fast as it may.

    ``outbox`` keeps the number of the batch that is to be submitted: a successor begins with it, which may have been
    stored already.
    """

    def __init__(
        self, queue: HybridQueue, workload: Workload, outbox: Path, rate: float, stop: threading.Event
    ) -> None:
        self._queue = queue
        self._workload = workload
        self._outbox = outbox
        self._rate = rate
        self._stop = stop

    def run(self) -> None:
        """Submit until told to stop."""
        outbox = os.open(self._outbox, os.O_RDWR | os.O_CREAT, 0o600)
        number = int(os.read(outbox, _DIGITS) or 0)
        due = time.monotonic()
        while not self._stop.is_set():
            os.pwrite(outbox, f"{number:{_DIGITS}}".encode(), 0)
            batch = self._workload.batch(number)
            self._submit(batch)
            self._change_mind(batch, self._workload.cancelled(number))
            number += 1
            due = max(due + len(batch) / self._rate, time.monotonic() - _BEHIND_SECONDS)
            self._stop.wait(max(0.0, due - time.monotonic()))
        os.close(outbox)

    def _submit(self, batch: list[Task]) -> None:
        while not self._stop.is_set():
            try:
                self._queue.enqueue(batch)
            except (QueueFull, StorageError):
                self._stop.wait(_PAUSE_SECONDS)
            else:
                return

    def _change_mind(self, batch: list[Task], place: int | None) -> None:
        if place is not None:
            try:
                self._queue.cancel(batch[place].task_id)
            except StorageError:
                self._stop.wait(_PAUSE_SECONDS)
