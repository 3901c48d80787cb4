"""Sentinels: which server is the primary now."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis

from distributed_queue.storage.redis.addresses import Address
from distributed_queue.storage.redis.pool import converse, raise_trouble

if TYPE_CHECKING:
    from redis.connection import Connection

    from distributed_queue.storage.redis.addresses import Target

_ANSWER_SECONDS = 1.0
"""How long a Sentinel may take: there are others."""


class Sentinels:
    """The Sentinels of a URL. Thread-safe."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._hosts = list(target.hosts)
        """Those that answered last time are asked first."""
        self._options = {name: value for name, value in target.options.items() if name not in ("db", "client_name")}
        user, password = target.sentinel_login
        self._options |= {"username": user or None, "password": password or None}
        self._options |= dict.fromkeys(("socket_timeout", "socket_connect_timeout"), _ANSWER_SECONDS)

    def find(self) -> Address:
        """Where the primary is, by the latest that more than half of the Sentinels know, or all that answer.

        One alone may not have heard of the latest fail-over. Raises ``redis.ConnectionError`` where none knows.
        """
        with self._lock:
            hosts = list(self._hosts)
        views: list[tuple[int, Address]] = []
        silent: dict[Address, str] = {}
        for host in hosts:
            try:
                views.append(self._ask(host))
            except (redis.RedisError, OSError) as error:
                silent[host] = str(error)
            if len(views) > len(hosts) // 2:
                break
        with self._lock:
            self._hosts.sort(key=silent.__contains__)
        if not views:
            reasons = "; ".join(f"{host}: {reason}" for host, reason in silent.items())
            raise redis.ConnectionError(f"no Sentinel names a primary {self._target.service!r} ({reasons})")
        return max(views)[1]

    def _ask(self, host: Address) -> tuple[int, Address]:
        """The number of the latest fail-over that a Sentinel knows of, and the primary that it names.

        While it conducts a fail-over itself, it counts it in both answers, but has the new primary in the second only.
        """
        service = self._target.service
        asked = [(b"SENTINEL", b"MASTER", service), (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service)]
        connection = self._target.kind(**self._options, host=host.host, port=host.port)
        try:
            state, address = raise_trouble(converse(connection, asked))
        finally:
            connection.disconnect()
        name, port = address
        epoch = dict(zip(state[::2], state[1::2], strict=True))[b"config-epoch"]
        return int(epoch), Address(name.decode(), int(port))


def as_primary(target: Target) -> Target:
    """The target whose new connections are refused by a server that is not the primary (any more, or yet)."""
    return target._replace(options={**target.options, "redis_connect_func": _check_role})


def _check_role(connection: Connection) -> None:
    connection.on_connect()
    with suppress(redis.exceptions.NoPermissionError):  # then a replica tells with the first write
        connection.send_command("ROLE")
        role: Any = connection.read_response()
        if role[0] != b"master":
            raise redis.ConnectionError(f"{connection.host}:{connection.port} is not the primary")
