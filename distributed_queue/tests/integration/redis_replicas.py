"""A Redis with a replica that can be stopped and continued."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from distributed_queue.testing.servers import HOST, RedisServer
from distributed_queue.tests.steps import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Pair(NamedTuple):
    """A primary, with AOF, and its replica."""

    primary: RedisServer
    replica: RedisServer

    @property
    def url(self) -> str:
        """Of the primary, with the demand that the replica confirms."""
        return f"{self.primary.url}?durability=replicated"

    def stop_replica(self) -> None:
        """Freeze it: it is still connected, and confirms nothing."""
        self._signal(signal.SIGSTOP)

    def continue_replica(self) -> None:
        """Let it go on where it was, and wait until it has caught up."""
        self._signal(signal.SIGCONT)
        with redis.Redis(port=self.primary.port) as client:
            client.set("caught-up", "")
            eventually(lambda: client.wait(1, 1000) == 1)

    def _signal(self, number: signal.Signals) -> None:
        assert self.replica.pid is not None
        os.kill(self.replica.pid, number)


@contextmanager
def replicated(folder: Path, **options: str) -> Iterator[Pair]:
    """Start both, and wait until they are connected."""
    settings: dict[str, Any] = {"appendonly": "yes", "repl-diskless-sync-delay": "0", **options}
    with RedisServer(folder / "primary", **settings) as primary, RedisServer(folder / "replica", **settings) as replica:
        pair = Pair(primary, replica)
        with redis.Redis(port=replica.port) as client:
            client.execute_command("REPLICAOF", HOST, primary.port)
        with redis.Redis(port=primary.port) as client:
            eventually(lambda: client.info("replication").get("slave0", {}).get("state") == "online")
        try:
            yield pair
        finally:
            pair.continue_replica()
