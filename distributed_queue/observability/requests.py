"""How long requests to a server took, by method, route and status, and which it refused to stay well."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from distributed_queue.observability.figures import Histogram

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RequestTimes:
    """One histogram for each method, route and status. For use by one thread; others may read meanwhile.

    Routes are templates (``/tasks/{task_id}``), so that no client can make the set grow.
    """

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str, int], Histogram] = {}
        self.shed: Counter[str] = Counter()
        """Requests that were refused for now, by the code of their problem."""
        self.streams = 0
        """Event streams that are open."""

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, route, status)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = Histogram(BOUNDS_SECONDS)
        histogram.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        histogram.sum_seconds += seconds

    def read(self) -> list[tuple[tuple[str, str, int], Histogram]]:
        """What was counted, sorted."""
        return sorted(self._histograms.copy().items(), key=lambda item: item[0])
