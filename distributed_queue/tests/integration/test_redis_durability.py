"""A Redis tells what it survives, and is refused where that is less than what is demanded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.errors import StorageIncompatible
from distributed_queue.testing.servers import HOST, RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import StorageHealth

RULES = "on >open-sesame ~dq:* +@all -@admin"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(own_server: RedisServer) -> Iterator[RedisServer]:
    """A server whose settings may be changed: afterwards they are as before."""
    yield own_server
    change(own_server, appendonly="no", appendfsync="everysec", maxmemory="0")


def change(server: RedisServer, **settings: str) -> None:
    with redis.Redis(port=server.port) as client:
        for name, value in settings.items():
            client.config_set(name, value)


def health(url: str) -> StorageHealth:
    storage = open_storage(url)
    try:
        return storage.health()
    finally:
        storage.close()


@pytest.mark.parametrize(
    ("settings", "profile", "words"),
    [
        ({"appendonly": "no"}, "none", "no AOF"),
        ({"appendonly": "yes", "appendfsync": "no"}, "none", "half a minute"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "standard", "the last seconds"),
        ({"appendonly": "yes", "appendfsync": "always"}, "durable", "and a power cut"),
    ],
)
def test_the_profile_is_that_of_the_server_s_settings(
    server: RedisServer, settings: dict[str, str], profile: str, words: str
) -> None:
    change(server, **settings)
    told = health(server.url)
    assert told.profile == profile
    assert told.durability.startswith(f"{profile}: ")
    assert words in told.durability


def test_a_weaker_server_is_refused_with_the_commands_that_help(server: RedisServer) -> None:
    for demanded in ("standard", "durable"):
        with pytest.raises(StorageIncompatible, match=f"durability={demanded} is demanded.*is none") as caught:
            HybridQueue.from_url(server.url, durability=demanded)
        assert "CONFIG SET appendonly yes, CONFIG SET appendfsync" in str(caught.value)
    change(server, appendonly="yes", appendfsync="always")
    with HybridQueue.from_url(f"{server.url}?durability=durable") as queue:
        assert queue.health().missing == ""


def test_a_server_without_replicas_cannot_replicate(server: RedisServer) -> None:
    change(server, appendonly="yes")
    with pytest.raises(StorageIncompatible, match=r"Connect replicas .* 0 are connected, and 2 have to confirm"):
        open_storage(f"{server.url}?replicas=2")


def test_what_became_weaker_meanwhile_is_told(server: RedisServer) -> None:
    change(server, appendonly="yes")
    with HybridQueue.from_url(server.url, durability="standard") as queue:
        change(server, appendonly="no")
        assert "durability=standard is demanded" in queue.health().missing


def test_a_server_without_a_memory_limit_is_advised_to_have_one(server: RedisServer) -> None:
    assert any("maxmemory is not set" in advice for advice in health(server.url).advice)
    change(server, maxmemory="1gb")
    assert not health(server.url).advice


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("-info", "may not ask the server whether it writes to disk (INFO)"),
        ("+info", "may not ask about power cuts (CONFIG GET)"),
    ],
)
def test_what_a_user_may_not_ask_is_unknown_in_words(server: RedisServer, grant: str, told: str) -> None:
    change(server, appendonly="yes")
    with redis.Redis(port=server.port) as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", *RULES.split(), grant)
    url = f"redis://app:open-sesame@{HOST}:{server.port}/0"
    answer = health(url)
    assert answer.profile == "unknown"
    assert answer.durability.startswith("unknown: ")
    assert told in answer.durability
    with pytest.raises(StorageIncompatible, match=r"cannot be told.*\+config\|get") as caught:
        open_storage(url, durability="standard")
    assert "open-sesame" not in str(caught.value)


def test_the_clocks_of_one_machine_agree(server: RedisServer) -> None:
    assert abs(health(server.url).clock_offset) < 1.0
