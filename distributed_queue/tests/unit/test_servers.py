from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
import redis

from distributed_queue.testing.servers import HOST, MissingServer, RedisServer, free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server((HOST, free_port())):
        pass


def test_a_server_answers_once_it_has_started(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert server.pid is not None


def test_a_server_is_gone_once_it_has_stopped(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    pid = server.pid
    assert pid is not None
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.stop()


@pytest.mark.parametrize("kill", [False, True], ids=["in order", "by a crash"])
def test_what_is_on_disk_is_there_after_a_restart(tmp_path: Path, kill: bool) -> None:
    with RedisServer(tmp_path, appendonly="yes", appendfsync="always") as server:
        port = server.port
        with redis.Redis.from_url(server.url) as client:
            client.set("key", "value")
        server.restart(kill=kill)
        assert server.port == port
        with redis.Redis.from_url(server.url) as client:
            assert client.get("key") == b"value"


def test_flushing_drops_all_data(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.flush()
        assert client.dbsize() == 0


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended while it started.*nonsense"):
        RedisServer(tmp_path, nonsense="yes").start()


def test_a_program_that_is_not_installed_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingServer, match=r"redis-server is not installed.*apt-get install redis-server"):
        RedisServer(tmp_path)
