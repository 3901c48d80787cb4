"""One Redis, and a proxy for each member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from distributed_queue.testing.campaign.faults.network import network_faults
from distributed_queue.testing.campaign.faults.redis_server import RedisFaults
from distributed_queue.testing.campaign.grounds.ground import ProcessGround
from distributed_queue.testing.proxy import FaultProxy
from distributed_queue.testing.servers import HOST, RedisServer

if TYPE_CHECKING:
    from distributed_queue.testing.campaign.faults import FaultKind

_READY_SECONDS = 60.0


class RedisGround(ProcessGround):
    """With AOF, ``appendfsync always`` unless the options say ``everysec``, or ``off`` for no AOF: that loses tasks."""

    _server: RedisServer
    _proxies: dict[str, FaultProxy]

    @property
    def url(self) -> str:
        """Of the server itself."""
        return self._server.url

    def address(self, slot: str) -> str:
        """Of the member's own proxy."""
        self._proxies[slot] = self._cleanup.enter_context(FaultProxy(self._server.port))
        return f"redis://{HOST}:{self._proxies[slot].port}/0?socket_timeout=1"

    def start(self) -> None:
        """Start the server."""
        sync = self._options.get("appendfsync", "always")
        aof, sync = ("no", "no") if sync == "off" else ("yes", sync)
        server = RedisServer(self._folder / "redis", ready_seconds=_READY_SECONDS, appendonly=aof, appendfsync=sync)
        self._server = self._cleanup.enter_context(server)
        self._proxies = {}

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the processes, the server and the network."""
        return [
            *super().faults(lease_seconds),
            *RedisFaults(self._server, self.returns).kinds(),
            *network_faults(self._proxies, lease_seconds),
        ]

    def version(self) -> str:
        """What it is, with its version."""
        with redis.Redis(HOST, self._server.port) as client:
            sync = self._options.get("appendfsync", "always")
            return f"Redis {client.info('server')['redis_version']}, appendfsync {sync}"
