"""What came of the webhooks that this server sent, and how long their endpoints took."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distributed_queue.core.clock import SystemClock
from distributed_queue.errors import DeadLetter
from distributed_queue.observability.figures import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
DELIVERED, FAILED = "delivered", "failed"


class DeliveryTimes:
    """Tries by how they ended, one histogram of all, and when each webhook last succeeded and failed. Thread-safe.

    ``webhooks`` gives the ids of those that are sent to: of others, such as one that was removed, nothing is told.
    """

    def __init__(self, webhooks: Callable[[], Collection[str]]) -> None:
        self._webhooks = webhooks
        self._lock = threading.Lock()
        self._outcomes = Counter({DELIVERED: 0, FAILED: 0})
        self._latest: dict[str, dict[str, float]] = {}
        self.histogram = Histogram(BOUNDS_SECONDS)
        """How long endpoints took, whatever they answered."""

    @contextmanager
    def delivering(self, webhook: str) -> Iterator[None]:
        """Count the try in the block. What is a dead letter at once has its reason as outcome."""
        began = time.monotonic()
        outcome = FAILED
        try:
            yield
            outcome = DELIVERED
        except DeadLetter as verdict:
            outcome = verdict.reason
            raise
        finally:
            self._count(webhook, outcome, time.monotonic() - began)

    def outcomes(self) -> list[tuple[str, int]]:
        """How many tries ended how."""
        with self._lock:
            return sorted(self._outcomes.items())

    def latest(self) -> list[tuple[str, str, float]]:
        """Webhook, ``delivered`` or ``failed``, and when that was last, in seconds since the epoch; 0 for never."""
        present = set(self._webhooks())
        with self._lock:
            return [
                (webhook, outcome, at)
                for webhook, times in sorted(self._latest.items())
                if webhook in present
                for outcome, at in times.items()
            ]

    def _count(self, webhook: str, outcome: str, seconds: float) -> None:
        with self._lock:
            self._outcomes[outcome] += 1
            self.histogram.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
            self.histogram.sum_seconds += seconds
            times = self._latest.setdefault(webhook, {DELIVERED: 0.0, FAILED: 0.0})
            times[DELIVERED if outcome == DELIVERED else FAILED] = SystemClock().now()
