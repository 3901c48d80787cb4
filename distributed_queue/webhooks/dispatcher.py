"""Reads the journals, and makes a delivery of each event for each endpoint that chose it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from distributed_queue.core.options import is_apart
from distributed_queue.core.task import from_stored
from distributed_queue.errors import DistributedQueueError, QueueClosed
from distributed_queue.webhooks.messages import DELIVERIES, deliveries, messages_of
from distributed_queue.webhooks.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import JournalEntry, Storage
    from distributed_queue.core.task import Task
    from distributed_queue.webhooks.endpoints import Endpoint
    from distributed_queue.webhooks.file import EndpointFile
    from distributed_queue.webhooks.messages import Message

logger = logging.getLogger(__name__)

_ENTRIES = 200
_TASKS = 500
"""Deliveries enqueued, and tasks looked up, in one step at most."""
_PAUSE_SECONDS = 0.3
_PAUSE_PER_QUEUE = 0.005
"""So many queues cost the storage 200 reads a second at most."""
_KEEP_SECONDS = 1.0
"""How often positions are kept, and queues looked for."""
_TROUBLE_SECONDS = (0.5, 10.0)
_DELIVERY_DAYS = 86_400.0


class Dispatcher(threading.Thread):
    """One reader of the journals of a storage. Several may run: they make the same deliveries, and each counts once.

    The id of a delivery is made of endpoint, queue, position and index, and a position moves on only after what lies
    before it is enqueued. So whenever a dispatcher dies, the next one neither leaves an event out nor makes a second
    delivery of it.
    """

    def __init__(self, storage: Storage, endpoints: EndpointFile, limit_bytes: int) -> None:
        super().__init__(name="dq-webhooks", daemon=True)
        self._storage = storage
        self._endpoints = endpoints
        self._limit_bytes = limit_bytes
        self._kept = Positions(storage)
        self._positions: dict[str, int] = {}
        self._moved: set[str] = set()
        self._looked_at = float("-inf")
        self._prepared = False
        self._halt = threading.Event()

    def run(self) -> None:
        """Dispatch until ``stop``."""
        backoff, longest = _TROUBLE_SECONDS
        while not self._halt.is_set():
            try:
                pause = 0.0 if self.step() else max(_PAUSE_SECONDS, _PAUSE_PER_QUEUE * len(self._positions))
                backoff, _ = _TROUBLE_SECONDS
            except QueueClosed:
                return
            except DistributedQueueError as error:
                logger.warning("webhooks wait: %s", error)
                pause, backoff = backoff, min(longest, backoff * 2)
            except Exception:
                logger.exception("dispatching webhooks failed")
                pause, backoff = backoff, min(longest, backoff * 2)
            self._halt.wait(pause)

    def stop(self) -> None:
        """Dispatch no more."""
        self._halt.set()

    def step(self) -> bool:
        """Read what is new once, in each queue that an endpoint chose. Whether there was anything."""
        endpoints = self._endpoints.enabled()
        if not endpoints:
            return False
        if time.monotonic() - self._looked_at >= _KEEP_SECONDS:
            self._keep_up()
            self._looked_at = time.monotonic()
        chosen = [queue for queue in self._positions if any(each.chooses_queue(queue) for each in endpoints)]
        return sum(self._advance(queue, endpoints) for queue in chosen) > 0

    def keep(self) -> None:
        """Keep the positions that moved."""
        for queue in list(self._moved):
            self._kept.write(queue, self._positions[queue])
            self._moved.discard(queue)

    def _keep_up(self) -> None:
        """Keep the positions, take those of a dispatcher that is ahead, and look for queues and for new journals."""
        self._prepare()
        self.keep()
        names = [name for name in self._storage.queues() if not is_apart(name)]
        kept = self._kept.read(names) if names else {}
        positions = {}
        for queue in names:
            position = max(self._positions.get(queue, 0), kept[queue])
            # A journal that was started anew counts from 1 again.
            positions[queue] = 0 if position > self._storage.journal_tail(queue) else position
        self._positions = positions

    def _prepare(self) -> None:
        if not self._prepared:
            if DELIVERIES not in self._storage.queues():
                self._storage.configure(DELIVERIES, {"retention_seconds": _DELIVERY_DAYS})
            self._kept.prepare()
            self._prepared = True

    def _advance(self, queue: str, endpoints: Sequence[Endpoint]) -> bool:
        after = self._positions[queue]
        entries = self._storage.journal(queue, after, _ENTRIES)
        if not entries:
            return False
        self._tell_of_gap(queue, after, entries[0], endpoints)
        messages = messages_of(queue, entries, endpoints)
        for start in range(0, len(messages), _TASKS):
            self._enqueue(queue, messages[start : start + _TASKS])
        self._positions[queue] = entries[-1].position
        self._moved.add(queue)
        return True

    def _enqueue(self, queue: str, messages: Sequence[Message]) -> None:
        ids = list(dict.fromkeys(each.change.task_id for each in messages if each.change.task_id))
        found = self._storage.get(ids, queue) if ids else []
        tasks: dict[str, Task] = {stored.id: from_stored(stored) for stored in found if stored is not None}
        new = deliveries(messages, tasks, self._limit_bytes)
        if new:
            self._storage.enqueue(new)

    def _tell_of_gap(self, queue: str, after: int, first: JournalEntry, endpoints: Sequence[Endpoint]) -> None:
        missing = first.position - after - 1
        if missing and any(each.created_at < first.at and each.chooses_queue(queue) for each in endpoints):
            logger.error(
                "%d entries of the journal of %s were trimmed before webhooks read them; what they tell of is not "
                "delivered. A longer journal_max_age, or more journal_max_bytes, keeps them for longer.",
                missing,
                queue,
            )
