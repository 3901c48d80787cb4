"""Storing what handlers say of their progress."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from distributed_queue.core.storage import TaskUpdate
from distributed_queue.errors import DistributedQueueError

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage
    from distributed_queue.core.worker.attempt import Attempt

logger = logging.getLogger("distributed_queue.worker")


def store_progress(storage: Storage, attempt: Attempt) -> None:
    """Store an attempt's latest progress, unless that was done. It is not worth an error where it cannot be."""
    latest = attempt.progress
    if latest is attempt.stored_progress:
        return
    attempt.stored_progress = latest
    claimed = attempt.claimed
    try:
        storage.update(claimed.queue, claimed.id, TaskUpdate(progress=latest, attempt=claimed.attempt))
    except DistributedQueueError as error:
        logger.debug("the progress of task %s is not stored: %s", claimed.id, error)
