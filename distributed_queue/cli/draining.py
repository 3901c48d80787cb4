"""Stopping gracefully: what runs may finish, unless a second signal says that there is no time."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

from distributed_queue.cli.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.cli.signals import StopSignals
    from distributed_queue.core.worker import WorkerPool

logger = logging.getLogger("distributed_queue.program")


def drain(
    pool: WorkerPool,
    signals: StopSignals,
    shutdown_timeout: float,
    *,
    also: Callable[[], object] = lambda: None,
) -> None:
    """Stop the pool, and wait for what runs and for ``also``; ends the process if a signal arrives meanwhile."""
    running = sum(worker["active_tasks"] for worker in pool.get_stats()["workers"].values())
    if running:
        logger.info(
            "stopping: waiting up to %g s for %s that run here; a second signal stops at once",
            shutdown_timeout,
            plural(running, "task"),
        )
    else:
        logger.info("stopping: no task runs here")
    stopped = threading.Event()

    def stop() -> None:
        pool.stop_all(wait=True, timeout=shutdown_timeout)
        also()
        stopped.set()
        signals.notify()

    threading.Thread(target=stop, name="dq-drain", daemon=True).start()
    while not stopped.is_set():
        number = signals.wait()
        if number is not None:
            leave_at_once(number)


def leave_at_once(signal_number: int) -> None:
    """End the process now. Leases that it holds run out by themselves, and others take the tasks then."""
    logger.warning("stopped at once; what ran here is taken over when its leases end")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(128 + signal_number)
