"""Several workers of one process, by name."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.options import check_number
from distributed_queue.core.worker.autoscale import Autoscaler
from distributed_queue.core.worker.config import WorkerConfig, check_slots
from distributed_queue.core.worker.worker import Worker
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.retry import Retry, RetryPolicy
    from distributed_queue.core.worker.courier import ExchangeListener


class WorkerPool:
    """Workers that share a queue and their handlers. Thread-safe."""

    def __init__(self, queue: HybridQueue) -> None:
        self.queue = queue
        self.workers: dict[str, Worker] = {}
        self.running = False
        self._registrations: dict[str, Callable[[Worker], None]] = {}
        self._listeners: list[ExchangeListener] = []
        self._lock = threading.RLock()
        self._autoscaler: Autoscaler | None = None

    def register_handler(
        self,
        task_type: str,
        function: Callable[[Any], Any],
        *,
        retry: Retry | RetryPolicy | None = None,
        timeout: float | None = None,
        executor: str | None = None,
    ) -> None:
        """Register a handler with every worker, present and future. See ``Worker.register_handler``."""
        register = partial(
            Worker.register_handler,
            task_type=task_type,
            function=function,
            retry=retry,
            timeout=timeout,
            executor=executor,
        )
        with self._lock:
            self._registrations[task_type] = register
            for worker in self.workers.values():
                register(worker)

    def after_exchange(self, listener: ExchangeListener) -> None:
        """Let every worker, present and future, tell a listener. See ``Worker.after_exchange``."""
        with self._lock:
            self._listeners.append(listener)
            for worker in self.workers.values():
                worker.after_exchange(listener)

    def add_worker(self, config: WorkerConfig | None = None) -> Worker:
        """Make a worker, and start it if the pool runs. Raises ``ConfigurationError`` if its name is taken."""
        config = config or WorkerConfig()
        with self._lock:
            if config.name in self.workers:
                raise ConfigurationError(f"The pool has a worker {config.name!r} already; choose another name")
            worker = Worker(self.queue, config)
            for register in self._registrations.values():
                register(worker)
            for listener in self._listeners:
                worker.after_exchange(listener)
            if self.running:
                worker.start()
            self.workers[config.name] = worker
            return worker

    def remove_worker(self, name: str, wait: bool = True) -> bool:
        """Stop a worker gracefully and forget it; False if there is none of that name."""
        with self._lock:
            worker = self.workers.pop(name, None)
        if worker is None:
            return False
        worker.stop(wait=wait)
        return True

    def start_all(self) -> None:
        """Start every worker that does not run."""
        with self._lock:
            self.running = True
            for worker in self.workers.values():
                worker.start()

    def stop_all(self, wait: bool = True, timeout: float | None = None) -> None:
        """Stop every worker gracefully, all at the same time. See ``Worker.stop``."""
        with self._lock:
            self.running = False
            workers = list(self.workers.values())
            if self._autoscaler is not None:
                self._autoscaler.stop()
                self._autoscaler = None
        for worker in workers:
            worker.stop(wait=False, timeout=timeout)
        if wait:
            for worker in workers:
                worker.join()

    def scale(self, name: str, max_workers: int) -> bool:
        """Change how many handlers a worker may run at the same time; False if there is none of that name."""
        check_slots(max_workers)
        worker = self.workers.get(name)
        if worker is None:
            return False
        worker.scale(max_workers)
        return True

    def autoscale(
        self,
        min: int,  # noqa: A002 - the words of the specification
        max: int,  # noqa: A002
        *,
        backlog_per_slot: float = 5.0,
        interval: float = 2.0,
    ) -> None:
        """Keep the pool's handler slots between ``min`` and ``max``, as the backlog asks; shared out evenly.

        One slot for each ``backlog_per_slot`` tasks that are ready, beside those that are busy; looked at every
        ``interval`` seconds. Ends with ``stop_all``; a second call replaces the first.
        """
        check_slots(max)
        if not 1 <= min <= max:
            raise ConfigurationError(f"autoscale needs 1 <= min <= max, not min={min} and max={max}")
        check_number("backlog_per_slot", backlog_per_slot, 0.001, 1e9)
        check_number("interval", interval, 0.001, 1e6)
        with self._lock:
            if self._autoscaler is not None:
                self._autoscaler.stop()
            self._autoscaler = Autoscaler(
                self._measure,
                self._share_out,
                lowest=min,
                highest=max,
                backlog_per_slot=backlog_per_slot,
                interval=interval,
            )
            self._autoscaler.start()

    def get_stats(self) -> dict[str, Any]:
        """How many workers there are, and the figures of each."""
        with self._lock:
            workers = dict(self.workers)
        return {
            "total_workers": len(workers),
            "workers": {name: worker.get_stats() for name, worker in workers.items()},
        }

    def _measure(self) -> tuple[int, int, int]:
        """Ready tasks (what is scheduled for later needs no slot yet), busy slots, slots."""
        stats = [worker.get_stats() for worker in list(self.workers.values())]
        return (
            sum(figures.counts[TaskStatus.PENDING] for figures in self.queue.queue_stats()),
            sum(each["active_tasks"] for each in stats),
            sum(each["max_workers"] for each in stats),
        )

    def _share_out(self, slots: int) -> None:
        workers = list(self.workers.values())
        for index, worker in enumerate(workers):
            share = slots // len(workers) + (index < slots % len(workers))
            worker.scale(max(1, share))
