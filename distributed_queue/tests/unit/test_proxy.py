"""What the fault proxy does to clients of a real Redis."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from distributed_queue.testing.proxy import FaultProxy
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.testing.servers import RedisServer

COUNT = "return redis.call('INCR', KEYS[1])"


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    redis_server.flush()
    return redis_server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Any]:
    with connect(proxy.port) as client:
        yield client


def connect(port: int) -> Any:
    """A client that never tries again by itself."""
    return redis.Redis(HOST, port, socket_timeout=20, retry=Retry(NoBackoff(), 0))


def plain(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=20)


def counted(server: RedisServer) -> int:
    with connect(server.port) as direct:
        return int(direct.get("count") or 0)


def wait_until_counted(server: RedisServer, number: int) -> None:
    end = time.monotonic() + 20
    while counted(server) != number:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_asked_is_answered(proxy: FaultProxy, client: Any) -> None:
    big = b"x" * 1_000_000
    client.set("big", big)
    assert (client.get("big"), proxy.connections) == (big, 1)


def test_many_clients_are_served_at_once(proxy: FaultProxy, server: RedisServer) -> None:
    def count() -> None:
        with connect(proxy.port) as client:
            for _ in range(20):
                client.incr("count")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(server) == 160


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_broken_connection_is_an_error_and_the_next_one_works(proxy: FaultProxy, client: Any, fault: str) -> None:
    client.ping()
    connection = client.connection_pool.get_connection()
    getattr(proxy, fault)()
    with pytest.raises(redis.ConnectionError, match="reset" if fault == "reset" else "closed"):
        connection.read_response()
    connection.disconnect()
    client.connection_pool.release(connection)
    assert client.ping()


def test_a_swallowed_reply_belongs_to_a_step_that_was_done(proxy: FaultProxy, client: Any, server: RedisServer) -> None:
    proxy.swallow(1)
    client.set("other", 1)  # it bears no mark
    with pytest.raises(redis.ConnectionError):
        client.eval(COUNT, 1, "count")
    assert (counted(server), proxy.swallowed) == (1, 1)
    assert client.eval(COUNT, 1, "count") == 2


def test_a_slow_proxy_takes_its_time(proxy: FaultProxy, client: Any) -> None:
    client.ping()
    with proxy.slow(0.05, 0.01):
        began = time.monotonic()
        client.ping()
        assert time.monotonic() - began >= 0.1  # there and back


def test_a_silent_proxy_accepts_and_does_not_answer(proxy: FaultProxy, client: Any) -> None:
    with plain(proxy) as before:
        with proxy.silent(), plain(proxy) as newcomer:
            for connection in (before, newcomer):
                connection.sendall(b"PING\r\n")
                connection.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    connection.recv(10)
        before.settimeout(20)
        assert before.recv(10) == b"+PONG\r\n"
    assert client.ping()


def test_what_was_asked_in_silence_is_done_when_it_ends(proxy: FaultProxy, server: RedisServer) -> None:
    with proxy.silent(), plain(proxy) as impatient:
        impatient.sendall(b"INCR count\r\n")
        impatient.close()
        assert counted(server) == 0
    wait_until_counted(server, 1)


def test_a_refusing_proxy_comes_back_at_the_same_port(proxy: FaultProxy, client: Any) -> None:
    client.ping()
    port = proxy.port
    with proxy.refusing():
        for _ in range(2):  # what was connected, and what connects anew
            with pytest.raises(redis.ConnectionError):
                client.ping()
    assert (client.ping(), proxy.port) == (True, port)


def test_without_a_server_connections_break(server: RedisServer) -> None:
    with FaultProxy(1) as proxy, connect(proxy.port) as client, pytest.raises(redis.ConnectionError):
        client.ping()
