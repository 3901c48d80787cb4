"""Stopping gracefully: what runs may finish, unless a second signal says that there is no time."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from distributed_queue.cli.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.cli.signals import StopSignals
    from distributed_queue.core.worker import WorkerPool

logger = logging.getLogger("distributed_queue.program")

_GIVE_BACK_SECONDS = 3.0
"""How long a program that stops at once takes to give its tasks back; a storage that is away must not hold it."""


def drain(
    pool: WorkerPool,
    signals: StopSignals,
    shutdown_timeout: float,
    *,
    also: Callable[[], object] = lambda: None,
    hurry: Callable[[], object] = lambda: None,
) -> None:
    """Stop the pool, and wait for what runs and for ``also``.

    A signal that arrives meanwhile ends the process at once: ``hurry`` is called, and what runs is given back.
    """
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
            hurry()
            pool.stop_all(wait=False, timeout=0)
            _leave(number, in_order=stopped.wait(_GIVE_BACK_SECONDS))


def _leave(signal_number: int, *, in_order: bool) -> NoReturn:
    """End the process now, whatever its threads are at."""
    if in_order:
        logger.warning("stopped at once; what ran here was given back")
    else:
        logger.warning("stopped at once; what ran here is taken over when its leases end")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(128 + signal_number)
