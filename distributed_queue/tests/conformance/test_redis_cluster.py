"""The Redis engine is held to the contract on a Cluster."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.conformance import *  # noqa: F403  # the suite

if TYPE_CHECKING:
    from distributed_queue.testing.conformance.fixtures import OpenClient
    from distributed_queue.testing.topologies import RedisCluster


@pytest.fixture
def open_client(redis_cluster: RedisCluster) -> OpenClient:
    """Each client has connections of its own."""
    redis_cluster.flush()
    return functools.partial(RedisStorage.from_url, redis_cluster.url)
