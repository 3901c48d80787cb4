"""One look at a queue: everything that metrics are made of."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.errors import DistributedQueueError

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import QueueStats, StorageHealth, WorkerInfo

logger = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What the storage said at a moment; nothing where it could not be reached."""

    at: float
    """On the monotonic clock."""
    health: StorageHealth | None
    queues: list[QueueStats]
    workers: list[WorkerInfo]

    @property
    def up(self) -> bool:
        """Whether the storage answered."""
        return self.health is not None


def read(queue: HybridQueue) -> Reading:
    """Ask the storage. An error is an answer too: the storage is not up."""
    try:
        health, queues, workers = queue.health(), queue.queue_stats(), queue.workers()
    except DistributedQueueError as error:
        logger.warning("metrics: %s", error)
        return Reading(time.monotonic(), None, [], [])
    return Reading(time.monotonic(), health, queues, workers)


def backend(queue: HybridQueue) -> str:
    """The engine's name: the scheme of its URL."""
    return queue.storage.url.partition("://")[0]
