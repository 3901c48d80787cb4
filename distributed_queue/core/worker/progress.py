"""Storing what handlers say while they run: their progress, and what they log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from distributed_queue.core.storage import TaskUpdate
from distributed_queue.core.worker.attempt import State
from distributed_queue.errors import DistributedQueueError

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage
    from distributed_queue.core.worker.attempt import Attempt

logger = logging.getLogger("distributed_queue.worker")


def store_progress(storage: Storage, attempt: Attempt) -> None:
    """Store what an attempt has said, unless that was done. It is not worth an error where it cannot be.

    Once the attempt has ended, its log is left to the settlement, which brings all of it.
    """
    latest, log = attempt.progress, attempt.log
    progress = None if latest is attempt.stored_progress else latest
    said = 0 if log is None or attempt.state is State.ENDED else log.said
    note = attempt.note() if said > attempt.stored_lines else None
    if progress is None and note is None:
        return
    attempt.stored_progress = latest
    attempt.stored_lines = max(said, attempt.stored_lines)
    claimed = attempt.claimed
    try:
        storage.update(claimed.queue, claimed.id, TaskUpdate(progress=progress, note=note, attempt=claimed.attempt))
    except DistributedQueueError as error:
        logger.debug("the progress of task %s is not stored: %s", claimed.id, error)
