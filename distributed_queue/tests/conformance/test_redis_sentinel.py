"""The Redis engine is held to the contract where Sentinels name the server."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.conformance import *  # noqa: F403  # the suite

if TYPE_CHECKING:
    from distributed_queue.testing.conformance.fixtures import OpenClient
    from distributed_queue.testing.topologies import SentinelRedis


@pytest.fixture
def open_client(sentinel_redis: SentinelRedis) -> OpenClient:
    """Each client has a connection of its own."""
    sentinel_redis.flush()
    return functools.partial(RedisStorage.from_url, sentinel_redis.url)
