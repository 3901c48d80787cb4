"""The metrics as JSON: totals, with rates and latency percentiles over the last minute."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from distributed_queue.core import counters
from distributed_queue.core.lifecycle import FINISHED, TaskStatus
from distributed_queue.observability.figures import Figures, by_type, growth, together
from distributed_queue.observability.reading import Reading, backend, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import QueueStats, StorageHealth
    from distributed_queue.observability.figures import Histogram
    from distributed_queue.observability.requests import RequestTimes

WINDOW_SECONDS = 60.0
"""Rates and percentiles are over about this long, or since the first sample where that is later."""
SAMPLE_SECONDS = 10.0
"""How often ``sample`` wants to be called; more often costs nothing."""

_SHORTEST_SECONDS = 1.0
"""No rates are told over less."""
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_RATES = {
    "enqueued_per_second": counters.ENQUEUED,
    "started_per_second": counters.STARTED,
    "completed_per_second": f"{counters.FINISHED}.{TaskStatus.COMPLETED}",
    "failed_per_second": counters.FAILED,
    "retried_per_second": counters.RETRIES,
}


class Summary:
    """Remembers samples of the last minute, so that rates can be told. Thread-safe."""

    def __init__(
        self,
        queue: HybridQueue,
        requests: RequestTimes | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._requests = requests
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._samples: deque[Reading] = deque()

    def sample(self) -> Reading:
        """Look at the queue, and remember it if the last look is ``SAMPLE_SECONDS`` ago."""
        reading = read(self._queue)._replace(at=self._monotonic())
        with self._lock:
            if reading.up and (not self._samples or reading.at - self._samples[-1].at >= SAMPLE_SECONDS):
                self._samples.append(reading)
            while len(self._samples) > 1 and self._samples[1].at <= reading.at - WINDOW_SECONDS:
                self._samples.popleft()
        return reading

    def document(self) -> dict[str, Any]:
        """Everything, from a fresh look."""
        reading = self.sample()
        with self._lock:
            base = self._samples[0] if self._samples else reading
        window = max(0.0, reading.at - base.at)
        before = {stats.queue: stats.counters for stats in base.queues}
        queues = {stats.queue: _queue(stats, before.get(stats.queue, {}), window) for stats in reading.queues}
        grown = [by_type(growth(stats.counters, before.get(stats.queue, {}))).values() for stats in reading.queues]
        all_grown = together(figures for parts in grown for figures in parts)
        all_counted = together(figures for stats in reading.queues for figures in by_type(stats.counters).values())
        return {
            "window_seconds": round(window, 3),
            "storage": _storage(backend(self._queue), reading.health),
            "workers": {
                "count": len(reading.workers),
                "slots": sum(worker.max_workers for worker in reading.workers),
                "slots_busy": sum(worker.active_tasks for worker in reading.workers),
            },
            "all": {
                "size": sum(stats.depth for stats in reading.queues),
                "tasks": {str(state): sum(stats.counts[state] for stats in reading.queues) for state in TaskStatus},
                **_figures(all_counted, all_grown, window),
            },
            "queues": queues,
            "requests": self._answered(),
        }

    def _answered(self) -> list[dict[str, Any]]:
        """Requests since this server started."""
        read_out = self._requests.read() if self._requests else []
        return [
            {"method": method, "route": route, "status": status, **_latency(histogram)}
            for (method, route, status), histogram in read_out
        ]


def _storage(engine: str, health: StorageHealth | None) -> dict[str, Any]:
    if health is None:
        return {"up": False, "backend": engine}
    return {
        "up": True,
        "backend": engine,
        "round_trip_seconds": round(health.latency, 6),
        "clock_offset_seconds": round(health.clock_offset, 6),
    }


def _queue(stats: QueueStats, before: dict[str, int], window: float) -> dict[str, Any]:
    counted, grown = by_type(stats.counters), by_type(growth(stats.counters, before))
    return {
        "size": stats.depth,
        "paused": stats.config.paused,
        "oldest_ready_age_seconds": stats.oldest_ready_age or 0.0,
        "tasks": {str(state): stats.counts[state] for state in TaskStatus},
        **_figures(together(counted.values()), together(grown.values()), window),
        "types": {
            task_type: _figures(figures, grown[task_type], window)
            for task_type, figures in counted.items()
            if task_type
        },
    }


def _figures(counted: Figures, grown: Figures, window: float) -> dict[str, Any]:
    totals = counted.counts
    return {
        "totals": {
            "enqueued": totals[counters.ENQUEUED],
            "deduplicated": totals[counters.DEDUPLICATED],
            "attempts_started": totals[counters.STARTED],
            "attempts_succeeded": totals[counters.SUCCEEDED],
            "attempts_failed": totals[counters.FAILED],
            "attempts_lost": totals[counters.LOST],
            "retries": totals[counters.RETRIES],
            **{f"finished_{state}": totals[f"{counters.FINISHED}.{state}"] for state in sorted(FINISHED)},
            "fenced_writes": sum(number for what, number in totals.items() if what.startswith(counters.FENCED)),
        },
        "rates": {name: _rate(grown.counts[what], window) for name, what in _RATES.items()},
        "wait_seconds": _latency(grown.wait),
        "duration_seconds": _latency(grown.duration),
    }


def _rate(number: int, window: float) -> float | None:
    return round(number / window, 3) if window >= _SHORTEST_SECONDS else None


def _latency(histogram: Histogram) -> dict[str, Any]:
    total = histogram.total
    percentiles = {name: histogram.quantile(share) for name, share in _PERCENTILES.items()}
    return {
        "count": total,
        "mean": round(histogram.sum_seconds / total, 6) if total else None,
        **{name: None if value is None else round(value, 6) for name, value in percentiles.items()},
    }
