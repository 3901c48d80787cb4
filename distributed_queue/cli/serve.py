"""``dq serve``, the same as ``run_api.py``: the API, and workers, over one storage."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distributed_queue.cli import logs
from distributed_queue.cli.awaiting import Opening, queue_at_once
from distributed_queue.cli.command import Command
from distributed_queue.cli.draining import drain
from distributed_queue.cli.exits import CannotListen
from distributed_queue.cli.loading import close_applications, load_handlers, register_handlers, storage_of
from distributed_queue.cli.options import setting_option, switch_option
from distributed_queue.cli.session import Session
from distributed_queue.cli.signals import StopSignals
from distributed_queue.cli.webhooks import address_rules, register_of
from distributed_queue.cli.welcome import announce, check_openness
from distributed_queue.core.options import split_weights
from distributed_queue.core.worker import WorkerConfig, WorkerPool
from distributed_queue.errors import ConfigurationError
from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.webhooks import EndpointFile, Webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.api import ApiServer
    from distributed_queue.cli.loading import Source
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.dashboard import Dashboard
    from distributed_queue.settings import Settings, Traced

logger = logging.getLogger("distributed_queue.program")

_LONGEST_REQUEST_SECONDS = 10.0
"""What requests get at most to finish when the server stops; those that wait for something end at once."""


@click.command(
    cls=Command,
    as_json=False,
    examples=(
        "dq serve",
        "dq serve --port 9000 --workers 20 --handlers my.module",
        "API_KEY=… dq serve --host 0.0.0.0 --storage-url redis://localhost:6379/0",
    ),
)
@setting_option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1, this machine only]")
@setting_option("--port", metavar="N", help="Port to listen on; 0 takes any free one.  [default: 8000]")
@setting_option("--workers", metavar="N", help="Tasks that run here at the same time; 0 for none.  [default: 10]")
@setting_option(
    "--handlers",
    metavar="MODULE[:NAME]",
    multiple=True,
    help='Module with a dictionary "handlers" or a function "register(pool)"; several times for several.',
)
@setting_option(
    "--api-key",
    metavar="KEY",
    help="What requests that change something have to send as X-API-Key. Flags are seen in process lists: "
    "better set API_KEY.",
)
@setting_option("--api-keys-file", metavar="FILE", help="File with further keys, each with roles; see dq keys.")
@switch_option("--require-key-for-reads", help="Let requests that change nothing need a key too.")
@switch_option("--insecure", help="Listen on any address without a key. Whoever reaches it may do everything then.")
@setting_option(
    "--durability",
    metavar="PROFILE",
    help="What an acknowledged task has to survive, or the storage is refused: standard, durable or replicated.",
)
@setting_option("--shutdown-timeout", metavar="DURATION", help="Time for running tasks to finish.  [default: 30s]")
@setting_option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [default: info]")
@setting_option("--log-format", metavar="FORMAT", help="text or json.  [default: text]")
@click.pass_obj
def serve(session: Session) -> None:
    """Start the REST API and workers over a storage, by default a durable SQLite file.

    The handlers simple, default and math are there for a first try.

    Where the storage does not answer yet, the server runs without it, says so, and begins to work once it does.

    SIGTERM and Ctrl-C stop it gracefully: requests and tasks that run may finish. A second one stops it at once.
    """
    settings = session.settings
    logs.set_up(settings)
    check_openness(settings)
    sources = load_handlers(("distributed_queue.handlers", *settings.handlers))
    url = storage_of(sources)
    if url is not None:
        session.offer_storage(url)
    with StopSignals() as signals, queue_at_once(session) as queue:
        pool = _make_pool(queue, sources, settings)
        work = _Work(queue, pool, settings)
        server, dashboard = _make_server(queue, pool, session.trace(), work.deliveries)
        with _listen(server) as listening, dashboard:
            begin = partial(work.begin, listening.getsockname()[1])
            opening = Opening(session, queue, opened=begin, failed=signals.notify)
            opening.begin()
            serving = threading.Thread(target=server.run, args=([listening],), name="dq-server", daemon=True)
            serving.start()
            threading.Thread(target=_tell_when_ended, args=(serving, signals), daemon=True).start()
            signals.wait()
            opening.end()
            dashboard.close()
            server.stop()

            def finish() -> None:
                work.finish()
                serving.join()

            drain(pool, signals, settings.shutdown_timeout, also=finish, hurry=partial(_hurry, server))
            close_applications(sources)
    if opening.error is not None:
        raise opening.error
    logger.info("stopped")


class _Work:
    """What is done here besides serving: the pool's tasks, and webhooks where a file of them is named."""

    def __init__(self, queue: HybridQueue, pool: WorkerPool, settings: Settings) -> None:
        self._queue = queue
        self._pool = pool
        self._settings = settings
        self._late = queue.storage.awaited
        self._endpoints = EndpointFile(Path(settings.webhooks_file)) if settings.webhooks_file else None
        self.deliveries = DeliveryTimes(self._endpoints.enabled_ids) if self._endpoints else None
        self._sending = ExitStack()

    def begin(self, port: int) -> None:
        """Begin, when the storage is there; say so, if the server could not say it when it began."""
        settings = self._settings
        self._pool.start_all()
        if self._endpoints is not None:
            name = f"{settings.worker_name or 'worker-1'}-webhooks"
            rules = address_rules(settings)
            self._sending.enter_context(Webhooks(self._queue, self._endpoints, rules, name, self.deliveries))
        if self._late:
            announce(self._queue, self._pool, settings, port)

    def finish(self) -> None:
        """Send no more webhooks."""
        self._sending.close()


def _make_pool(queue: HybridQueue, sources: Sequence[Source], settings: Settings) -> WorkerPool:
    """The pool: one worker with all slots, or none."""
    pool = WorkerPool(queue)
    register_handlers(sources, pool)
    queues, weights = split_weights(settings.queues)
    if settings.workers:
        pool.add_worker(
            WorkerConfig(
                name=settings.worker_name or "worker-1",
                max_workers=settings.workers,
                shutdown_timeout=settings.shutdown_timeout,
                queues=queues or None,
                queue_weights=weights,
            )
        )
    return pool


def _make_server(
    queue: HybridQueue, pool: WorkerPool, traced: Traced, deliveries: DeliveryTimes | None
) -> tuple[ApiServer, Dashboard]:
    # Only serve needs FastAPI and the templates.
    from distributed_queue.api import ApiOptions, ApiServer, ConnectionLimits, create_app  # noqa: PLC0415
    from distributed_queue.cli.dashboard import add_dashboard  # noqa: PLC0415
    from distributed_queue.dashboard import ADDRESSES  # noqa: PLC0415

    settings = traced.settings
    options = ApiOptions(
        api_key=settings.api_key,
        keys_file=Path(settings.api_keys_file) if settings.api_keys_file else None,
        require_key_for_reads=settings.require_key_for_reads,
        own_names_only=not (settings.api_key or settings.api_keys_file or settings.insecure),
        max_body_bytes=settings.max_body_bytes,
        max_streams=settings.max_streams,
        access=dict.fromkeys(ADDRESSES),
        webhooks=register_of(settings),
        deliveries=deliveries,
        home=None,
    )
    own = pool if settings.workers else None
    app = create_app(queue, own, options)
    server = ApiServer(
        app,
        settings.host,
        settings.port,
        shutdown_seconds=min(settings.shutdown_timeout, _LONGEST_REQUEST_SECONDS),
        ready=partial(announce, queue, pool, settings),
        limits=ConnectionLimits(connections=settings.max_connections, keep_alive_seconds=settings.keep_alive_seconds),
    )
    return server, add_dashboard(app, queue, own, traced)


def _listen(server: ApiServer) -> socket.socket:
    try:
        return server.listen()
    except ConfigurationError as error:
        raise CannotListen(str(error)) from error


def _hurry(server: ApiServer) -> None:
    """Let requests end that still run."""
    server.force_exit = True


def _tell_when_ended(serving: threading.Thread, signals: StopSignals) -> None:
    """For a server that fails: the program must not go on without it."""
    serving.join()
    signals.notify()
