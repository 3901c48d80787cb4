"""``dq worker``: one worker in this process, for the handlers of one's own modules."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distributed_queue.cli import logs
from distributed_queue.cli.awaiting import await_queue, opening_queue
from distributed_queue.cli.command import Command
from distributed_queue.cli.draining import drain
from distributed_queue.cli.exits import CannotListen, ExitCode
from distributed_queue.cli.loading import close_applications, load_handlers, register_handlers, storage_of
from distributed_queue.cli.options import setting_option
from distributed_queue.cli.reloading import OPTION, Reloader
from distributed_queue.cli.session import Session
from distributed_queue.cli.signals import StopSignals
from distributed_queue.cli.supervisor import Supervisor, is_orphan, is_supervised
from distributed_queue.cli.text import plural
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.options import is_apart, split_weights
from distributed_queue.core.worker import WorkerConfig, WorkerPool
from distributed_queue.errors import ConfigurationError, DistributedQueueError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.worker import Worker
    from distributed_queue.observability.programs import Program
    from distributed_queue.settings import Settings

logger = logging.getLogger("distributed_queue.program")

_BURST_LOOK_SECONDS = 0.1
"""How often a burst looks whether anything is left."""
_ORPHAN_LOOK_SECONDS = 1.0
"""How often a worker process looks whether its supervisor is still there."""


@click.command(
    cls=Command,
    as_json=False,
    examples=(
        "dq worker my.module:app",
        "dq worker my.module:handlers --queues urgent,default --threads 20 --storage-url redis://localhost:6379/0",
        "dq worker my.module:app --processes 4 --threads 20",
        "dq worker my.module --burst",
        "dq worker my.module:app --reload",
    ),
)
@click.argument("module", metavar="[MODULE[:NAME]]...", nargs=-1)
@setting_option(
    "--queues", metavar="A,B", help="Queues to take from, the preferred ones first; A:3,B in turn.  [default: all]"
)
@setting_option("--threads", "workers", metavar="N", help="Tasks that run at the same time.  [default: 10]")
@setting_option("--name", "worker_name", metavar="NAME", help="Name to be listed under.  [default: HOST-PID]")
@setting_option(
    "--durability",
    metavar="PROFILE",
    help="What an acknowledged task has to survive, or the storage is refused: standard, durable or replicated.",
)
@setting_option("--shutdown-timeout", metavar="DURATION", help="Time for running tasks to finish.  [default: 30s]")
@setting_option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [default: info]")
@setting_option("--log-format", metavar="FORMAT", help="text or json.  [default: text]")
@setting_option("--metrics-port", metavar="N", help="Port for Prometheus; 0 takes any free one.  [default: none]")
@setting_option("--host", metavar="ADDRESS", help="Address of that port.  [default: 127.0.0.1, this machine only]")
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=1,
    help="Worker processes; one that dies is started again.  [default: 1]",
)
@click.option("--burst", is_flag=True, help="Exit when no task is ready to run. What is due later stays.")
@click.option(OPTION, is_flag=True, help="For development: start again when a Python file in this folder changes.")
@click.pass_obj
def worker(session: Session, module: tuple[str, ...], processes: int, burst: bool, reload: bool) -> int:
    """Run the handlers of MODULE for the tasks of a storage, until it is stopped.

    MODULE has an application "app" (DistributedQ), a dictionary "handlers" (task type to function) or a function
    "register(pool)"; MODULE:NAME names another one. DQ_HANDLERS may name modules instead. The storage is the one that
    the application names, unless --storage-url names another.

    Where the storage does not answer yet, it waits until it does; with --burst it ends.

    SIGTERM and Ctrl-C stop it gracefully: it takes no more tasks, and those that run may finish. A second one stops
    it at once.
    """
    session.take("handlers", module)
    settings = session.settings
    if not settings.handlers:
        raise click.UsageError(
            "Name the MODULE with your handlers; distributed_queue.handlers has some for a first try"
        )
    logs.set_up(settings)
    if reload:
        # Before the modules are loaded: one that cannot be, is mended while this process waits.
        with StopSignals() as signals:
            return Reloader(Path.cwd(), settings.shutdown_timeout).run(signals)
    sources = load_handlers(settings.handlers)
    url = storage_of(sources)
    if url is not None:
        session.offer_storage(url)
    if processes > 1:
        names = [f"{_name(settings)}-{number}" for number in range(1, processes + 1)]
        supervisor = Supervisor(names, settings.shutdown_timeout)
        with StopSignals() as signals, _metrics(session, supervisor):
            return supervisor.run(signals)
    shown = None if is_supervised() else _Alone(_name(settings))
    with StopSignals() as signals, ExitStack() as stack:
        opened = session.shared_queue(configure=True) if burst else await_queue(session, signals)
        if opened is None:
            logger.info("stopped before the storage was there")
            return ExitCode.OK
        queue = stack.enter_context(opened)
        stack.enter_context(_metrics(session, shown, queue))
        pool = WorkerPool(queue)
        register_handlers(sources, pool)
        one = pool.add_worker(_config(settings))
        if not one.handlers:
            raise ConfigurationError(f"There are no handlers in {', '.join(settings.handlers)}")
        pool.start_all()
        _greet(one, queue)
        threading.Thread(target=_tell_when_stopped, args=(one, signals), daemon=True).start()
        _work(one, queue, signals, burst=burst)
        drain(pool, signals, settings.shutdown_timeout)
        close_applications(sources)
    if one.worn_out:
        logger.error("stopped because too many handlers were stuck")
        return ExitCode.WORN_OUT
    logger.info("stopped")
    return ExitCode.OK


class _Alone:
    """A program of one process: this one."""

    restarts = 0

    def __init__(self, name: str) -> None:
        self._members = {os.getpid(): name}

    def members(self) -> dict[int, str]:
        """The id of this process, and its worker's name."""
        return self._members


@contextmanager
def _metrics(session: Session, program: Program | None, queue: HybridQueue | None = None) -> Iterator[None]:
    """Show the metrics of ``program``, where there is one and a port is set."""
    port = session.settings.metrics_port
    if program is None or port is None:
        yield
        return
    try:
        from distributed_queue.observability.programs import serve_metrics  # noqa: PLC0415 - only with this option
    except ModuleNotFoundError as error:
        raise MissingDependency("--metrics-port", "server") from error
    with ExitStack() as stack:
        shown = queue or stack.enter_context(opening_queue(session))
        try:
            stack.enter_context(serve_metrics(shown, program, session.settings.host, port, works=queue is not None))
        except ConfigurationError as error:
            raise CannotListen(str(error)) from error
        yield


def _name(settings: Settings) -> str:
    return settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"


def _config(settings: Settings) -> WorkerConfig:
    queues, weights = split_weights(settings.queues)
    return WorkerConfig(
        name=_name(settings),
        max_stuck=settings.max_stuck or None,
        max_workers=settings.workers,
        shutdown_timeout=settings.shutdown_timeout,
        queues=queues or None,
        queue_weights=weights,
        child_imports=tuple(reference.partition(":")[0] for reference in settings.handlers),
    )


def _greet(one: Worker, queue: HybridQueue) -> None:
    config = one.config
    logger.info(
        "worker %s takes from %s of %s, %s at a time",
        config.name,
        "all queues" if config.queues is None else ", ".join(config.queues),
        queue.storage.url,
        plural(config.max_workers, "task"),
    )
    logger.info("durability %s", queue.health().durability)
    logger.info("handlers: %s; Ctrl-C or SIGTERM stops gracefully", ", ".join(sorted(one.handlers)))


def _tell_when_stopped(one: Worker, signals: StopSignals) -> None:
    """For a worker that ``dq workers stop``, or the REST API, has told to stop."""
    one.join()
    signals.notify()


def _work(one: Worker, queue: HybridQueue, signals: StopSignals, *, burst: bool) -> None:
    """Return when it is time to stop: at a signal, when the worker has stopped, or when a burst is through."""
    idle_before = False
    while one.running:
        if signals.wait(_BURST_LOOK_SECONDS if burst else _ORPHAN_LOOK_SECONDS) is not None:
            return
        if is_orphan():
            logger.warning("the supervisor of this worker is gone")
            return
        if burst:
            idle = _is_idle(one, queue)
            if idle and idle_before:
                logger.info("no task is left that is ready to run")
                return
            # Twice: a task may be on its way from the storage to its handler.
            idle_before = idle


def _is_idle(one: Worker, queue: HybridQueue) -> bool:
    try:
        every = queue.storage.stats(one.config.queues)
    except DistributedQueueError:
        return False  # the worker itself says that the storage is away
    if one.config.queues is None:
        every = [stats for stats in every if not is_apart(stats.queue)]
    waiting = sum(stats.counts[TaskStatus.PENDING] for stats in every if not stats.config.paused)
    return waiting == 0 and one.get_stats()["active_tasks"] == 0
