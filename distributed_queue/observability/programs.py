"""What one program of workers tells of itself, on a port of its own.

The storage's figures are not among them: every server shows those, and shown by each worker too they would be added up.
"""

from __future__ import annotations

import logging
import platform
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from distributed_queue.errors import ConfigurationError, DistributedQueueError
from distributed_queue.observability.metrics import PREFIX, OperationCollector
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import WorkerInfo

logger = logging.getLogger(__name__)


class Program(Protocol):
    """The worker processes that belong together."""

    @property
    def restarts(self) -> int:
        """How often one was started again because it had died."""

    def members(self) -> Mapping[int, str]:
        """Process ids of those that run, with the names of their workers."""


class ProgramCollector(Collector):
    """Asks, at each scrape, the system for the processes and the storage for what their workers reported last."""

    def __init__(self, queue: HybridQueue, program: Program) -> None:
        self._queue = queue
        self._program = program

    def collect(self) -> Iterator[Metric]:
        """All families; those that need the storage are empty while it cannot be reached."""
        members = self._program.members()
        info = GaugeMetricFamily(f"{PREFIX}_worker_build_info", "What runs here; 1.", labels=("version", "python"))
        info.add_metric([__version__, platform.python_version()], 1)
        processes = GaugeMetricFamily(f"{PREFIX}_worker_processes", "Worker processes of this program that run.")
        processes.add_metric([], len(members))
        restarts = CounterMetricFamily(
            f"{PREFIX}_worker_process_restarts", "Worker processes that were started again because they had died."
        )
        restarts.add_metric([], self._program.restarts)
        yield from (info, processes, restarts)
        yield from _reported(self._reports(members))
        yield from _of_the_system(members)

    def _reports(self, members: Mapping[int, str]) -> list[WorkerInfo]:
        host = socket.gethostname()
        try:
            workers = self._queue.workers()
        except DistributedQueueError as error:
            logger.warning("metrics: %s", error)
            return []
        return [worker for worker in workers if worker.pid in members and worker.host == host]


@contextmanager
def serve_metrics(queue: HybridQueue, program: Program, host: str, port: int, *, works: bool) -> Iterator[int]:
    """Answer scrapes in the block; the port. Raises ``ConfigurationError`` where the address cannot be had.

    With ``works``, the workers use ``queue`` itself: then how long they wait for the storage is told, too.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProgramCollector(queue, program))
    if works:
        registry.register(OperationCollector(queue))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}, port {port}, for metrics: {error.strerror}") from error
    try:
        logger.info("metrics on http://%s:%d/metrics", host, server.server_port)
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reported(workers: list[WorkerInfo]) -> Iterator[Metric]:
    slots = GaugeMetricFamily(
        f"{PREFIX}_worker_process_slots", "Handlers that the worker may run at the same time.", labels=("worker",)
    )
    busy = GaugeMetricFamily(f"{PREFIX}_worker_process_slots_busy", "Handlers that it runs now.", labels=("worker",))
    stuck = GaugeMetricFamily(
        f"{PREFIX}_worker_process_stuck_handlers", "Handlers that were told to stop and do not.", labels=("worker",)
    )
    attempts = CounterMetricFamily(
        f"{PREFIX}_worker_process_attempts",
        "Attempts that it has ended since it was started, by how they ended.",
        labels=("worker", "outcome"),
    )
    for worker in workers:
        slots.add_metric([worker.name], worker.max_workers)
        busy.add_metric([worker.name], worker.active_tasks)
        stuck.add_metric([worker.name], worker.stuck)
        attempts.add_metric([worker.name, "succeeded"], worker.processed)
        attempts.add_metric([worker.name, "failed"], worker.failed)
    yield from (slots, busy, stuck, attempts)


def _of_the_system(members: Mapping[int, str]) -> Iterator[Metric]:
    """Processor time, memory and open files: ``process_…`` with the worker's name. Linux tells, others do not."""
    families: dict[str, Metric] = {}
    for pid, name in members.items():
        for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]  # a default binds it
            shown = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            shown.samples += [sample._replace(labels={**sample.labels, "worker": name}) for sample in family.samples]
    yield from families.values()
