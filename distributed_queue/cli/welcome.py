"""What ``dq serve`` says when it is ready: where to look, where the tasks are, and how to submit the first one."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click

from distributed_queue.errors import ConfigurationError, StorageUnavailable
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import StorageHealth
    from distributed_queue.core.worker import WorkerPool
    from distributed_queue.settings import Settings

logger = logging.getLogger("distributed_queue.program")

_PREFIX = "/api/v1"
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def check_openness(settings: Settings) -> None:
    """Refuse to let others reach a server that has no key; only warn where that is wanted. For the start.

    Raises ``ConfigurationError``.
    """
    if settings.api_key is not None or settings.api_keys_file is not None or is_loopback(settings.host):
        return
    danger = f"whoever reaches {settings.host} may submit, cancel and delete tasks"
    if not settings.insecure:
        raise ConfigurationError(
            f"There is no API key, so {danger}. Set one (API_KEY=…), listen on 127.0.0.1, or say --insecure."
        )
    logger.warning("There is no API key: %s.", danger)


def announce(queue: HybridQueue, pool: WorkerPool, settings: Settings, port: int) -> None:
    """Say that the server is ready: to a person on stdout, or as a log message where those are JSON."""
    base = f"http://{_shown_host(settings.host)}:{port}"
    try:
        health = queue.health()
    except StorageUnavailable as error:
        logger.warning("serving %s/ while the storage is down: %s", base, error)
        return
    place = storage_place(health.url)
    if settings.log_format == "json":
        logger.info("ready", extra={"url": base, "storage": place, "durability": health.durability})
        return
    click.echo("\n".join(_lines(base, place, health, pool, settings)))


def storage_place(url: str) -> str:
    """The storage as a person looks for it: a file's path, or the URL without a password."""
    scheme, _, rest = url.partition(":///")
    return str(Path(unquote(rest.partition("?")[0])).resolve()) if scheme == "sqlite" else url


def _lines(base: str, place: str, health: StorageHealth, pool: WorkerPool, settings: Settings) -> Iterator[str]:
    key = '-H "X-API-Key: $API_KEY" ' if settings.api_key or settings.api_keys_file else ""
    yield f"DistributedQ {__version__} is ready."
    yield ""
    yield f"  Dashboard {base}/"
    yield f"  API       {base}/docs"
    yield f"  Health    {base}{_PREFIX}/health and {_PREFIX}/ready"
    yield f"  Metrics   {base}{_PREFIX}/metrics"
    yield f"  Storage   {place}"
    yield f"            {health.engine} {health.version}: {health.durability}"
    yield f"  Workers   {_workers(pool)}"
    yield ""
    yield "  Submit a task, and see what became of it:"
    yield f"    curl {base}{_PREFIX}/tasks {key}-H 'Content-Type: application/json' \\"
    yield '      -d \'{"priority": 1, "payload": {"type": "simple", "data": "Hello World"}}\''
    yield f"    curl '{base}{_PREFIX}/tasks/TASK_ID?wait=10'"
    yield ""
    yield "  Ctrl-C stops it gracefully; a second one at once."


def _workers(pool: WorkerPool) -> str:
    slots = sum(worker.config.max_workers for worker in pool.workers.values())
    if not slots:
        return "none here; start some with: dq worker MODULE"
    types = sorted({task_type for worker in pool.workers.values() for task_type in worker.handlers})
    return f"{slots} tasks at a time, of the types {', '.join(types)}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown_host(host: str) -> str:
    if host in _EVERYWHERE:
        return "localhost"
    return f"[{host}]" if ":" in host else host
