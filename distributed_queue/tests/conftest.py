"""Fixtures for all tests: real servers, and storages by URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite(
    "distributed_queue.testing.conformance", "distributed_queue.testing.steps", "distributed_queue.testing.story"
)

from distributed_queue.testing.servers import MissingServer, RedisServer  # noqa: E402  # after the lines above
from distributed_queue.testing.topologies import RedisCluster, SentinelRedis  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGINES = ("memory", "sqlite", "redis")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for this process's tests, one after the other."""
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except MissingServer as missing:
        pytest.fail(str(missing))
    with server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="session")
def sentinel_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelRedis]:
    """A Redis with replicas and Sentinels for this process's tests. Started only where one asks for it."""
    with SentinelRedis(tmp_path_factory.mktemp("sentinel")) as topology:
        yield topology


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A Redis Cluster for this process's tests. Started only where one asks for it."""
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as topology:
        yield topology


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture(params=ENGINES)
def storage_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty storage: the test runs on every engine."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=ENGINES[1:])
def shared_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty storage that several clients share: the test runs on every engine but memory."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
