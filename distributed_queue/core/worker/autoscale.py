"""Growing and shrinking a worker with its backlog."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("distributed_queue.worker")


def wanted_slots(depth: int, active: int, lowest: int, highest: int, backlog_per_slot: float) -> int:
    """Slots for what waits and what runs: one per ``backlog_per_slot`` waiting tasks beside the busy ones."""
    return max(lowest, min(highest, active + math.ceil(depth / backlog_per_slot)))


class Autoscaler(threading.Thread):
    """Applies ``wanted_slots`` every ``interval`` seconds: up at once, down by at most a quarter at a time."""

    def __init__(  # noqa: PLR0913 - the rule's numbers
        self,
        measure: Callable[[], tuple[int, int, int]],
        apply: Callable[[int], None],
        *,
        lowest: int,
        highest: int,
        backlog_per_slot: float,
        interval: float,
    ) -> None:
        super().__init__(name="dq-autoscaler", daemon=True)
        self._measure = measure
        self._apply = apply
        self._lowest = lowest
        self._highest = highest
        self._backlog_per_slot = backlog_per_slot
        self._interval = interval
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Look and scale until stopped."""
        while not self._stopping.wait(self._interval):
            try:
                self.step()
            except QueueClosed:
                return
            except DistributedQueueError as error:
                logger.warning("autoscaling: %s", error)

    def step(self) -> None:
        """Measure once and apply what follows."""
        depth, active, slots = self._measure()
        wanted = wanted_slots(depth, active, self._lowest, self._highest, self._backlog_per_slot)
        if wanted < slots:
            wanted = max(wanted, slots - max(1, slots // 4))
        if wanted != slots:
            self._apply(wanted)
