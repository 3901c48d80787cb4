"""The metrics as Prometheus reads them.

What tasks went through is counted by the storage, inside the steps that it counts, so these figures hold for all
processes together and every server shows the same. Only requests, webhooks, and calls of the storage, are counted per
server.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from distributed_queue.core import counters
from distributed_queue.core.lifecycle import FINISHED, TaskStatus
from distributed_queue.observability.figures import Figures, Histogram, by_type
from distributed_queue.observability.operations import time_operations
from distributed_queue.observability.reading import backend, read
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import QueueStats, StorageHealth, WorkerInfo
    from distributed_queue.observability.deliveries import DeliveryTimes
    from distributed_queue.observability.reading import Reading
    from distributed_queue.observability.requests import RequestTimes

PREFIX = "distributedq"

_COUNTERS = (
    ("tasks_enqueued", "Tasks accepted and stored.", counters.ENQUEUED),
    ("tasks_deduplicated", "Tasks submitted again under an id that the queue knew.", counters.DEDUPLICATED),
    ("task_attempts_started", "Attempts: tasks handed to a worker.", counters.STARTED),
    ("task_retries", "Failed attempts after which the task was set to be tried again.", counters.RETRIES),
    ("poison_tasks", "Tasks that became dead letters because their workers kept dying with them.", counters.POISONED),
)
_ATTEMPT_OUTCOMES = {
    "succeeded": counters.SUCCEEDED,
    "failed": counters.FAILED,
    "lost": counters.LOST,
    "cancelled": counters.CANCELLED,
}
_TASK_OUTCOMES = {
    "succeeded" if state is TaskStatus.COMPLETED else str(state): f"{counters.FINISHED}.{state}"
    for state in sorted(FINISHED)
}
_FENCED_OPERATIONS = ("settle", "extend")


def make_registry(
    queue: HybridQueue, requests: RequestTimes | None = None, deliveries: DeliveryTimes | None = None
) -> CollectorRegistry:
    """A registry of its own with everything that can be said of ``queue`` and of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(QueueCollector(queue))
    registry.register(OperationCollector(queue))
    if requests is not None:
        registry.register(RequestCollector(requests))
    if deliveries is not None:
        registry.register(DeliveryCollector(deliveries))
    ProcessCollector(registry=registry)
    return registry


class QueueCollector(Collector):
    """Asks the storage at each scrape."""

    def __init__(self, queue: HybridQueue) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        """All families; those of the storage are empty while it cannot be reached."""
        reading = read(self._queue)
        engine = backend(self._queue)
        labels = {"version": __version__, "python": platform.python_version(), "backend": engine}
        yield _single("build_info", "What runs here; always 1.", labels, 1)
        yield from _storage(engine, reading.health)
        yield from _state(reading.queues)
        yield from _counted(reading)
        yield from _workers(reading.workers)


class OperationCollector(Collector):
    """What this process asked of its storage."""

    def __init__(self, queue: HybridQueue) -> None:
        self._backend = backend(queue)
        self._times = time_operations(queue.storage)

    def collect(self) -> Iterator[Metric]:
        """One histogram family."""
        family = HistogramMetricFamily(
            f"{PREFIX}_storage_operation_duration_seconds",
            "Time that this process waited for its storage; error: the storage failed.",
            labels=("backend", "operation", "outcome"),
        )
        for (operation, outcome), histogram in self._times.read():
            _add_histogram(family, [self._backend, operation, outcome], histogram)
        yield family


class RequestCollector(Collector):
    """The requests that this server answered."""

    def __init__(self, requests: RequestTimes) -> None:
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """All families."""
        family = HistogramMetricFamily(
            f"{PREFIX}_http_request_duration_seconds",
            "Time from a request's arrival to the end of its answer.",
            labels=("method", "route", "status"),
        )
        for (method, route, status), histogram in self._requests.read():
            _add_histogram(family, [method, route, str(status)], histogram)
        yield family
        shed = CounterMetricFamily(
            f"{PREFIX}_load_shed",
            "Requests that were answered 429 or 503, by the code of the problem.",
            labels=("reason",),
        )
        for reason, number in sorted(self._requests.shed.items()):
            shed.add_metric([reason], number)
        yield shed
        yield _single(
            "sse_clients", "Event streams that are open, those of the dashboard too.", {}, self._requests.streams
        )


class DeliveryCollector(Collector):
    """The webhooks that this server sent."""

    def __init__(self, deliveries: DeliveryTimes) -> None:
        self._deliveries = deliveries

    def collect(self) -> Iterator[Metric]:
        """All families."""
        tries = CounterMetricFamily(
            f"{PREFIX}_webhook_deliveries",
            "Tries to deliver a webhook, by how they ended: delivered, failed, gone, or forbidden-address.",
            labels=("outcome",),
        )
        for outcome, number in self._deliveries.outcomes():
            tries.add_metric([outcome], number)
        duration = HistogramMetricFamily(
            f"{PREFIX}_webhook_delivery_duration_seconds", "Time that the endpoints of webhooks took.", labels=()
        )
        _add_histogram(duration, [], self._deliveries.histogram)
        latest = GaugeMetricFamily(
            f"{PREFIX}_webhook_last_delivery_timestamp_seconds",
            "When a try to deliver to the webhook was last delivered, or failed; 0 for not since the server started.",
            labels=("webhook", "outcome"),
        )
        for webhook, outcome, at in self._deliveries.latest():
            latest.add_metric([webhook, outcome], at)
        yield from (tries, duration, latest)


def _storage(engine: str, health: StorageHealth | None) -> Iterator[Metric]:
    yield _single("storage_up", "Whether the storage answered: 1 or 0.", {"backend": engine}, int(health is not None))
    latency = GaugeMetricFamily(
        f"{PREFIX}_storage_round_trip_seconds", "Time that the storage took to answer just now.", labels=("backend",)
    )
    offset = GaugeMetricFamily(
        f"{PREFIX}_clock_offset_seconds",
        "By how much the storage's clock is ahead of this server's. The storage's counts.",
        labels=("backend",),
    )
    if health is not None:
        latency.add_metric([engine], health.latency)
        offset.add_metric([engine], health.clock_offset)
    yield from (latency, offset)


def _state(queues: list[QueueStats]) -> Iterator[Metric]:
    tasks = GaugeMetricFamily(
        f"{PREFIX}_queue_tasks", "Tasks by state; what is due is pending.", labels=("queue", "state")
    )
    oldest = GaugeMetricFamily(
        f"{PREFIX}_queue_oldest_ready_age_seconds",
        "For how long the task at the head of the line, or the first that is due, has been ready; 0 without any.",
        labels=("queue",),
    )
    paused = GaugeMetricFamily(f"{PREFIX}_queue_paused", "Whether the queue is paused: 1 or 0.", labels=("queue",))
    limit = GaugeMetricFamily(
        f"{PREFIX}_queue_size_limit", "Tasks that may wait; absent where there is no limit.", labels=("queue",)
    )
    for stats in queues:
        for state in TaskStatus:
            tasks.add_metric([stats.queue, str(state)], stats.counts.get(state, 0))
        oldest.add_metric([stats.queue], stats.oldest_ready_age or 0.0)
        paused.add_metric([stats.queue], int(stats.config.paused))
        if stats.config.max_size is not None:
            limit.add_metric([stats.queue], stats.config.max_size)
    yield from (tasks, oldest, paused, limit)


def _counted(reading: Reading) -> Iterator[Metric]:
    every = [(stats.queue, by_type(stats.counters)) for stats in reading.queues]
    typed = [(queue, task_type, figures) for queue, types in every for task_type, figures in types.items() if task_type]
    for name, text, what in _COUNTERS:
        family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=("queue", "task"))
        for queue, task_type, figures in typed:
            family.add_metric([queue, task_type], figures.counts[what])
        yield family
    yield _outcomes("task_attempts_finished", "Attempts by how they ended.", typed, _ATTEMPT_OUTCOMES)
    yield _outcomes("tasks_finished", "Tasks by how they ended.", typed, _TASK_OUTCOMES)
    yield from _histograms(typed)
    yield from _reliability(every)


def _outcomes(
    name: str, text: str, typed: list[tuple[str, str, Figures]], outcomes: dict[str, str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=("queue", "task", "outcome"))
    for queue, task_type, figures in typed:
        for outcome, what in outcomes.items():
            family.add_metric([queue, task_type, outcome], figures.counts[what])
    return family


def _histograms(typed: list[tuple[str, str, Figures]]) -> Iterator[Metric]:
    wait = HistogramMetricFamily(
        f"{PREFIX}_task_wait_seconds",
        "Time from ready to started, without deliberate delay and back-off.",
        labels=("queue", "task"),
    )
    duration = HistogramMetricFamily(
        f"{PREFIX}_task_duration_seconds", "Time from started to completed or failed.", labels=("queue", "task")
    )
    for queue, task_type, figures in typed:
        _add_histogram(wait, [queue, task_type], figures.wait)
        _add_histogram(duration, [queue, task_type], figures.duration)
    yield from (wait, duration)


def _reliability(every: list[tuple[str, dict[str, Figures]]]) -> Iterator[Metric]:
    fenced = CounterMetricFamily(
        f"{PREFIX}_fenced_writes",
        "Reports of workers that were refused because their lease was over.",
        labels=("queue", "operation"),
    )
    expired = CounterMetricFamily(
        f"{PREFIX}_leases_expired", "Leases that ran out while a worker held them.", labels=("queue",)
    )
    renewals = CounterMetricFamily(
        f"{PREFIX}_lease_renewals",
        "Leases that workers asked to be longer: ok, or lost where they were over.",
        labels=("queue", "outcome"),
    )
    for queue, types in every:
        untyped = types.get("", Figures())
        renewals.add_metric([queue, "ok"], untyped.counts[counters.EXTENDED])
        renewals.add_metric([queue, "lost"], untyped.counts[f"{counters.FENCED}.extend"])
        for operation in _FENCED_OPERATIONS:
            fenced.add_metric([queue, operation], untyped.counts[f"{counters.FENCED}.{operation}"])
        expired.add_metric([queue], sum(figures.counts[counters.LOST] for figures in types.values()))
    yield from (fenced, expired, renewals)


def _workers(workers: list[WorkerInfo]) -> Iterator[Metric]:
    states = dict.fromkeys(("running", "paused", "draining"), 0)
    for worker in workers:
        state = "paused" if worker.paused and worker.state == "running" else worker.state
        states[state] = states.get(state, 0) + 1
    family = GaugeMetricFamily(f"{PREFIX}_workers", "Live workers of all processes.", labels=("state",))
    for state, number in states.items():
        family.add_metric([state], number)
    yield family
    slots = sum(worker.max_workers for worker in workers)
    busy = sum(worker.active_tasks for worker in workers)
    yield _single("worker_slots", "Handlers that all workers together may run at the same time.", {}, slots)
    yield _single("worker_slots_busy", "Handlers that run now.", {}, busy)
    stuck = sum(worker.stuck for worker in workers)
    yield _single("worker_stuck_handlers", "Handlers that were told to stop and do not.", {}, stuck)


def _single(name: str, text: str, labels: dict[str, str], value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=tuple(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _add_histogram(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, histogram.cumulative(), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.sum_seconds)
