"""One server at a time: the one that the URL names, or the one that Sentinels name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.errors import StorageIncompatible, StorageUnavailable
from distributed_queue.storage.redis.connection import (
    FAIL_OVER_SECONDS,
    Connections,
    check_info,
    first_info,
)
from distributed_queue.storage.redis.pool import Pool, Talk
from distributed_queue.storage.redis.replies import raise_trouble
from distributed_queue.storage.redis.sentinels import PrimaryPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.durability import Confirmation
    from distributed_queue.storage.redis.wire import Command, Connection


class SingleConnections(Connections):
    """The connections to one server. With Sentinels, new ones go to the server that they name then."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.topology == "sentinel":
            self.retry_seconds = FAIL_OVER_SECONDS
            self._pool: Pool = PrimaryPool(target)
        else:
            self._pool = Pool(target)

    def check_servers(self) -> None:
        info = first_info(self._pool, self.url)
        if info is None:
            return  # the scripts will tell
        check_info(info, self.url)
        if info.get("redis_mode") == "cluster":
            raise StorageIncompatible(f"Redis at {self.url} is a Cluster: name it as redis+cluster://host:port")
        if info.get("role", "master") != "master":
            raise StorageUnavailable(self.url, "it is a read-only replica; name its primary")

    def run_everywhere(self, commands: Sequence[Command]) -> list[list[Any]]:
        return [self.run_all(commands)]

    def blocking(self, key: bytes) -> AbstractContextManager[Connection]:  # noqa: ARG002  # one server has all keys
        self.check_open()
        return self._pool.blocking()

    def said(self, key: bytes, command: Command) -> Command:  # noqa: ARG002  # as above
        return self._pool.said([command])[0]

    def together(self, keys: Sequence[bytes]) -> list[tuple[bytes, ...]]:
        return [tuple(keys)]

    def _attempt(self, commands: Sequence[Command], confirmation: Confirmation | None = None) -> list[Any]:
        return raise_trouble(Talk(self._pool, commands, confirmation).finish())

    def _doubt(self) -> None:
        self._pool.drop_idle()

    def _hang_up(self) -> None:
        self._pool.close()
