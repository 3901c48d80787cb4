"""The checks of ``dq doctor``: each finds out one thing, and says what to do where it is not as it should be."""

from __future__ import annotations

import http.client
import json
import platform
import socket
from contextlib import closing
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.cli.exits import explain
from distributed_queue.cli.text import duration, plural
from distributed_queue.cli.welcome import is_loopback, storage_place
from distributed_queue.core.durability import Durability, read_demand
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.registry import open_storage, without_password
from distributed_queue.errors import DistributedQueueError, StorageIncompatible
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import Storage, StorageHealth
    from distributed_queue.settings import Settings

SLOW_SECONDS = 0.05
"""A round trip from which on the storage limits what a worker can do."""
CLOCK_SECONDS = 1.0
"""A difference between clocks that is worth to be told."""
_ANSWER_SECONDS = 2.0


class Level(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """What one check found."""

    name: str
    level: Level
    text: str
    advice: str = ""
    """What to do about it."""


def check_versions() -> Finding:
    """What runs here."""
    return Finding("versions", Level.OK, f"dq {__version__}, Python {platform.python_version()}")


def check_storage(url: str, durability: str | None) -> Iterator[Finding]:
    """Whether the storage can be used, how fast it answers, and what it survives."""
    try:
        rest, demand = read_demand(url, durability)
        with closing(open_storage(rest)) as storage:
            refusal = ""
            if demand is not None:
                try:
                    storage.demand(demand)
                except StorageIncompatible as error:
                    refusal = str(error)
            health = storage.health()
            yield from (_reached(health), _durability(health, refusal), _clock(health))
            yield from (Finding("storage", Level.WARN, advice) for advice in health.advice)
            yield _work(storage)
    except DistributedQueueError as error:
        failure = explain(error)
        yield Finding("storage", Level.FAIL, failure.cause, failure.hint)


def check_port(settings: Settings) -> Finding:
    """Whether ``dq serve`` could listen here, or does."""
    host, port = settings.host, settings.port
    if port == 0:
        return Finding("port", Level.OK, "dq serve takes any free port")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        running = _version_of_server(host, port)
        if running is not None:
            return Finding("port", Level.OK, f"dq serve {running} answers on {host}, port {port}")
        text = f"dq serve cannot listen on {host}, port {port}: {error.strerror or error}"
        return Finding("port", Level.FAIL, text, "--port or DQ_PORT names another port, --port 0 takes any free one.")
    return Finding("port", Level.OK, f"{port} on {host} is free")


def check_api_key(settings: Settings) -> Finding:
    """Whether those who reach the server need a key to change something."""
    if settings.api_key is not None or settings.api_keys_file is not None:
        return Finding("API key", Level.OK, "requests that change something need a key")
    if is_loopback(settings.host):
        return Finding("API key", Level.OK, f"none is set, and only this machine reaches {settings.host}")
    level = Level.WARN if settings.insecure else Level.FAIL
    text = f"none is set: whoever reaches {settings.host} may submit, cancel and delete tasks"
    return Finding("API key", level, text, "Set an API key (API_KEY=…), or listen on 127.0.0.1.")


def _reached(health: StorageHealth) -> Finding:
    place = without_password(storage_place(health.url))
    text = f"{health.engine} {health.version} at {place} answers in {health.latency * 1000:.1f} ms"
    if health.latency < SLOW_SECONDS:
        return Finding("storage", Level.OK, text)
    advice = "Each exchange of a worker takes such a round trip: let workers run near the storage, with more threads."
    return Finding("storage", Level.WARN, text, advice)


def _durability(health: StorageHealth, refusal: str) -> Finding:
    if refusal:
        return Finding("durability", Level.FAIL, refusal)
    if health.profile in {str(Durability.NONE), "unknown"}:
        return Finding("durability", Level.WARN, health.durability, health.remedies.get(str(Durability.STANDARD), ""))
    return Finding("durability", Level.OK, health.durability)


def _clock(health: StorageHealth) -> Finding:
    ahead = health.clock_offset
    if abs(ahead) < CLOCK_SECONDS + health.latency:
        return Finding("clock", Level.OK, "the storage's and this machine's agree")
    text = f"the storage's is {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this machine's"
    advice = (
        "Let both follow a time server (NTP). Leases and delays are right all the same, since the storage's clock "
        "decides; an execute_after or expires_at that is reckoned here is off by so much."
    )
    return Finding("clock", Level.WARN, text, advice)


def _work(storage: Storage) -> Finding:
    workers = len(storage.workers())
    waiting = sum(stats.counts[TaskStatus.PENDING] for stats in storage.stats() if not stats.config.paused)
    text = f"{plural(workers, 'worker')} alive, {plural(waiting, 'task')} ready to run"
    if waiting and not workers:
        return Finding("workers", Level.WARN, text, "Start a worker: dq worker MODULE, or dq serve.")
    return Finding("workers", Level.OK, text)


def _version_of_server(host: str, port: int) -> str | None:
    """The version of the server of ours that answers there, if one does."""
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)) as connection:
            connection.request("GET", "/api/v1/health")
            answer = json.loads(connection.getresponse().read())
        return str(answer["version"]) if answer["status"] == "healthy" else None
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None
