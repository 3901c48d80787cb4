"""Redis does as memory does, whatever is asked of it and in whatever order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.machine import check_against_memory

if TYPE_CHECKING:
    from distributed_queue.core.clock import Clock
    from distributed_queue.testing.servers import RedisServer


@pytest.mark.slow
@pytest.mark.timeout(600)  # where it fails, it takes its time to find the shortest way there
def test_redis_does_as_memory_does(redis_server: RedisServer) -> None:
    def open_empty(clock: Clock) -> RedisStorage:
        redis_server.flush()
        return RedisStorage.from_url(redis_server.url, clock)

    check_against_memory(open_empty)
