"""What happens to a Redis server: to its process, and in it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import redis

from distributed_queue.testing.campaign.faults import STORAGE, FaultKind
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.testing.servers import RedisServer

_NOWHERE_PORT = 1
_BUSY_AFTER_MS = "100"
_BUSY = """
local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
local stop = now() + ARGV[1]
while now() < stop do end
"""


class RedisFaults:
    """The faults of one server. ``returns`` collects when it was back after it had not served."""

    def __init__(self, server: RedisServer, returns: list[float]) -> None:
        self._server = server
        self._returns = returns

    def kinds(self) -> list[FaultKind]:
        """All of them."""
        at = (STORAGE,)
        return [
            FaultKind("redis killed", at, self._killed, (0.0, 1.0), weight=2),
            FaultKind("redis frozen", at, self._frozen, (0.3, 2.0)),
            FaultKind("redis out of memory", at, self._full, (0.2, 0.8)),
            FaultKind("redis read-only", at, self._read_only, (0.2, 0.8)),
            FaultKind("redis without replicas", at, self._without_replicas, (0.2, 0.8)),
            FaultKind("redis busy", at, self._busy, (0.3, 0.8)),
            FaultKind("redis forgets scripts", at, self._forgetful),
            FaultKind("redis drops clients", at, self._unfriendly),
        ]

    @contextmanager
    def _killed(self, _: str) -> Iterator[None]:
        self._server.kill()
        try:
            yield
        finally:
            self._server.start()
            self._back()

    @contextmanager
    def _frozen(self, _: str) -> Iterator[None]:
        pid = self._server.pid
        if pid is None:
            raise RuntimeError("Redis does not run")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            self._back()

    @contextmanager
    def _full(self, _: str) -> Iterator[None]:
        self._set("maxmemory", "1mb")
        try:
            yield
        finally:
            self._set("maxmemory", "0")

    @contextmanager
    def _without_replicas(self, _: str) -> Iterator[None]:
        self._set("min-replicas-to-write", "1")
        try:
            yield
        finally:
            self._set("min-replicas-to-write", "0")
            self._back()

    @contextmanager
    def _read_only(self, _: str) -> Iterator[None]:
        """It is told to be the replica of a host that is not there, so it keeps what it has."""
        self._ask("REPLICAOF", HOST, _NOWHERE_PORT)
        try:
            yield
        finally:
            self._ask("REPLICAOF", "NO", "ONE")
            self._back()

    @contextmanager
    def _busy(self, _: str) -> Iterator[None]:
        """A script of somebody else runs, in slices that end by themselves."""
        self._set("lua-time-limit", _BUSY_AFTER_MS)
        over = threading.Event()

        def hold_up() -> None:
            while not over.is_set():
                with suppress(redis.RedisError):
                    self._ask("EVAL", _BUSY, 0, 300)

        thread = threading.Thread(target=hold_up)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._back()

    @contextmanager
    def _forgetful(self, _: str) -> Iterator[None]:
        self._ask("SCRIPT FLUSH")
        with suppress(redis.ResponseError):  # before Redis 7 there are no functions
            self._ask("FUNCTION FLUSH")
        yield

    @contextmanager
    def _unfriendly(self, _: str) -> Iterator[None]:
        self._ask("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        yield

    def _set(self, name: str, value: str) -> None:
        self._ask("CONFIG SET", name, value)

    def _ask(self, *command: Any) -> None:
        with redis.Redis(HOST, self._server.port, socket_timeout=10) as client:
            client.execute_command(*command)

    def _back(self) -> None:
        self._returns.append(time.time())
