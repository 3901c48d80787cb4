"""What a Redis server survives, read from its own settings, and the wait for its replicas where that is not enough."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.durability import Durability, Promise
from distributed_queue.core.storage import StorageHealth
from distributed_queue.errors import NotReplicated, StorageIncompatible
from distributed_queue.storage.redis.connection import parse_info
from distributed_queue.storage.redis.keys import fence_key
from distributed_queue.storage.redis.replies import Redirected, ServerError, raise_trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.durability import Demand
    from distributed_queue.storage.redis.connection import Connections
    from distributed_queue.storage.redis.wire import Command

CONFIRM_SECONDS = 1.0
"""How long replicas get to confirm a step. Well below the time that a command may take."""
_FENCE_MS = 60_000
_MICROSECOND = 1e-6
_ASKED = (b"appendfsync", b"min-replicas-to-write", b"min-replicas-max-lag")


class Confirmation:
    """What is sent behind scripts whose answer counts only once ``replicas`` have what they wrote.

    ``WAIT`` waits for what its own connection has written. A script that comes a second time writes nothing, and may
    come on another connection: hence the fence, a write that stands behind the first time, too.
    """

    def __init__(self, url: str, replicas: int) -> None:
        self.url = url
        self.replicas = replicas

    def commands(self, batch: Sequence[Command]) -> list[Command]:
        """The commands that follow a batch on the same connection; none where it has no script."""
        script = next((command for command in reversed(batch) if command[0] == b"EVALSHA"), None)
        if script is None:
            return []
        first_key = script[3]
        assert isinstance(first_key, bytes)  # noqa: S101  # each of our scripts has keys
        fence = (b"SET", fence_key(first_key), b"", b"PX", _FENCE_MS)
        return [fence, (b"WAIT", self.replicas, int(CONFIRM_SECONDS * 1000))]

    def check(self, answers: list[Any]) -> None:
        """Raise ``NotReplicated`` where too few replicas have confirmed, by the answers to ``commands``.

        An answer that is an error is raised: a primary that is demoted while it waits says ``UNBLOCKED``.
        """
        fenced, confirmed = answers
        if isinstance(fenced, Redirected):
            raise ServerError("TRYAGAIN the slot of the fence was moved")
        raise_trouble(answers)
        if confirmed < self.replicas:
            raise NotReplicated(self.url, confirmed, self.replicas)


class ServerSettings(NamedTuple):
    """What a server told of itself; None for what this user may not ask."""

    aof: bool | None = None
    aof_fails: bool = False
    fsync: str | None = None
    replicas: int = 0
    """Connected and up to date, as far as the server knows."""
    min_replicas: int | None = None
    max_memory: int | None = None


def health(connections: Connections, demand: Demand | None) -> StorageHealth:
    """See ``Storage.health``. Of several servers, the oldest, the weakest, and the clock that is off the most count."""
    clock = SystemClock()
    before, started = clock.now(), time.perf_counter()
    times = connections.run_everywhere([(b"TIME",)])
    latency = time.perf_counter() - started
    offsets = [int(seconds) + int(part) * _MICROSECOND - before - latency / 2 for ((seconds, part),) in times]
    infos = _infos(connections)
    return StorageHealth.of(
        _weakest(connections, infos, connections.confirmation),
        demand,
        engine=connections.engine,
        version=min((info.get("redis_version", "unknown") for info in infos), default="unknown"),
        url=connections.url,
        latency=latency,
        clock_offset=max(offsets, key=abs),
    )


def promise(connections: Connections, confirmation: Confirmation | None) -> Promise:
    """See ``Storage.promise``."""
    return _weakest(connections, _infos(connections), confirmation)


def judge(settings: ServerSettings, confirmation: Confirmation | None = None) -> Promise:
    """What these settings promise, where acknowledgements wait for a confirmation, or do not."""
    profile, survives = _alone(settings)
    wanted = confirmation.replicas if confirmation is not None else 1
    if confirmation is not None and settings.aof and settings.replicas >= wanted:
        profile = Durability.REPLICATED
        survives = (
            f"A task is acknowledged once {wanted} of {settings.replicas} replicas have it too, and survives the loss "
            f"of the primary where one of those takes over. {survives}"
        )
    return Promise(profile, survives, _remedies(settings, wanted), _advice(settings))


def _alone(settings: ServerSettings) -> tuple[Durability | None, str]:
    """What the server promises without its replicas."""
    if settings.aof is None:
        return None, "This user may not ask the server whether it writes to disk (INFO)."
    if not settings.aof:
        return (
            Durability.NONE,
            "Tasks survive the death of any client; the server may lose what came after its last snapshot (no AOF).",
        )
    if settings.fsync is None:
        return None, "Tasks survive a crash of the server (AOF); this user may not ask about power cuts (CONFIG GET)."
    if settings.fsync == "always":
        return Durability.DURABLE, "Tasks survive a crash of the server and a power cut (AOF, fsync always)."
    if settings.fsync == "everysec":
        return (
            Durability.STANDARD,
            "Tasks survive a crash of the server; a power cut may cost the last seconds (AOF, fsync everysec).",
        )
    return (
        Durability.NONE,
        f"Tasks survive a crash of the server; a power cut may cost half a minute (AOF, fsync {settings.fsync}).",
    )


def _remedies(settings: ServerSettings, wanted: int) -> dict[Durability, str]:
    aof = "" if settings.aof else "CONFIG SET appendonly yes, "
    keep = "and the same in redis.conf."
    fsync = "CONFIG SET appendfsync"
    ask = "Let this user ask: +info +config|get. " if settings.aof is None or settings.fsync is None else ""
    remedies = {
        Durability.STANDARD: f"{ask}{aof}{fsync} everysec, {keep}",
        Durability.DURABLE: f"{ask}{aof}{fsync} always, {keep}",
    }
    missing = []
    if not settings.aof:
        missing.append(f"CONFIG SET appendonly yes, {keep} A primary that starts empty empties its replicas.")
    if settings.replicas < wanted:
        missing.append(
            f"Connect replicas (REPLICAOF): {settings.replicas} are connected, and {wanted} {_has(wanted)} to confirm."
        )
    remedies[Durability.REPLICATED] = " ".join(missing) or "Demand it: ?durability=replicated in the URL."
    return remedies


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _advice(settings: ServerSettings) -> tuple[str, ...]:
    advice = []
    if settings.aof_fails:
        advice.append("The server could not write its AOF the last time: look at its log, and at its disk's space.")
    if settings.replicas and settings.min_replicas == 0:
        advice.append(
            "min-replicas-to-write is 0: a primary that is cut off goes on handing out tasks until it is told. "
            "CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 2 bound that."
        )
    if settings.max_memory == 0:
        advice.append(
            "maxmemory is not set: when memory runs short, the operating system may kill the server. With it set, "
            "submissions are refused then, and work goes on."
        )
    return tuple(advice)


def _weakest(connections: Connections, infos: list[dict[str, str]], confirmation: Confirmation | None) -> Promise:
    """What all servers together promise: no more than the weakest of them."""
    configs = _configs(connections) if infos else []
    promises = [judge(_settings(*each), confirmation) for each in zip(infos, configs, strict=True)]
    return min(promises or [judge(ServerSettings(), confirmation)], key=_strength)


def _strength(promise: Promise) -> int:
    return -1 if promise.profile is None else list(Durability).index(promise.profile)


def _settings(info: dict[str, str], config: dict[str, str]) -> ServerSettings:
    replicas = [value for name, value in info.items() if name.startswith("slave") and "state=online" in value]
    minimum = config.get("min-replicas-to-write")
    return ServerSettings(
        aof=info.get("aof_enabled") == "1",
        aof_fails=info.get("aof_last_write_status", "ok") != "ok",
        fsync=config.get("appendfsync"),
        replicas=len(replicas),
        min_replicas=None if minimum is None else int(minimum),
        max_memory=int(info["maxmemory"]) if "maxmemory" in info else None,
    )


def _infos(connections: Connections) -> list[dict[str, str]]:
    """What each server says of itself. Empty where this user may not ask."""
    try:
        return [parse_info(info) for (info,) in connections.run_everywhere([(b"INFO",)])]
    except StorageIncompatible:
        return []


def _configs(connections: Connections) -> list[dict[str, str]]:
    """The settings of each server. Nothing where this user may not ask."""
    try:
        # One by one: several in one command is for Redis 7 and later.
        answers = connections.run_everywhere([(b"CONFIG", b"GET", name) for name in _ASKED])
    except StorageIncompatible:
        answers = [[] for _ in connections.run_everywhere([(b"PING",)])]
    return [{name.decode(): value.decode() for name, value in filter(None, replies)} for replies in answers]
