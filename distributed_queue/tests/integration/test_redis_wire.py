"""A connection to a real Redis, with and without TLS, and to servers that misbehave."""

from __future__ import annotations

import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import redis
from redis.crc import key_slot

from distributed_queue.errors import StorageIncompatible, StorageUnavailable
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.storage.redis.replies import Redirected, ServerError, read_error
from distributed_queue.storage.redis.slots import slot_of_key
from distributed_queue.storage.redis.wire import Connection, Endpoint
from distributed_queue.testing.builders import Q, new_task, request
from distributed_queue.testing.proxy import FaultProxy
from distributed_queue.testing.servers import HOST, RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "p@ss:w/ord%20 é#?"


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[Connection]:
    redis_server.flush()
    connection = Connection(Endpoint(HOST, redis_server.port), 10.0)
    yield connection
    connection.close()


@contextmanager
def server_that_sends(answer: bytes) -> Iterator[Connection]:
    """A connection to one that sends these bytes one by one, and then hangs up."""

    def send() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in answer:
                accepted.sendall(bytes([byte]))

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=send)
        thread.start()
        connection = Connection(Endpoint(HOST, listener.getsockname()[1]), 10.0)
        try:
            yield connection
        finally:
            connection.close()
            thread.join()


def test_many_commands_are_answered_in_order_with_errors_among_the_answers(connection: Connection) -> None:
    count = 5000
    assert connection.converse([(b"ECHO", number) for number in range(count)]) == [b"%d" % n for n in range(count)]
    done, refused, same = connection.converse([(b"SET", b"k", "é"), (b"INCR", b"k"), (b"GET", b"k")])
    assert (done, same) == (b"OK", "é".encode())
    assert isinstance(refused, ServerError)
    assert (refused.code, str(refused)) == ("ERR", "value is not an integer or out of range")


def test_an_error_inside_an_answer_is_part_of_it(connection: Connection) -> None:
    (nested,) = connection.converse([(b"EVAL", b"return {1, redis.error_reply('ODD one'), 2}", 0)])
    assert nested[::2] == [1, 2]
    assert isinstance(nested[1], ServerError)
    assert nested[1].code == "ODD"


def test_what_is_bigger_than_any_buffer_goes_both_ways(connection: Connection) -> None:
    big = bytes(range(256)) * 16384
    assert connection.converse([(b"SET", b"big", big), (b"GET", b"big"), (b"PING",)]) == [b"OK", big, b"PONG"]


def test_answers_may_come_in_any_pieces() -> None:
    with server_that_sends(b"+OK\r\n$5\r\nhello\r\n*2\r\n:1\r\n$-1\r\n") as connection:
        assert connection.receive(3) == [b"OK", b"hello", [1, None]]


def test_a_server_that_hangs_up_in_an_answer_is_a_lost_connection() -> None:
    cut_off = server_that_sends(b"+OK\r\n$100\r\nnot all of it")
    with cut_off as connection, pytest.raises(ConnectionError, match="closed the connection"):
        connection.receive(2)


def test_what_is_no_answer_of_a_redis_is_a_lost_connection() -> None:
    other = server_that_sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with other as connection, pytest.raises(ConnectionError, match="Protocol error"):
        connection.receive(1)


def test_a_late_answer_is_never_that_to_the_next_command(redis_server: RedisServer) -> None:
    redis_server.flush()
    with FaultProxy(redis_server.port) as proxy:
        storage = RedisStorage(f"redis://{HOST}:{proxy.port}/0?socket_timeout=0.3")
        storage.enqueue([new_task("t1")])
        with proxy.slow(0.5), pytest.raises(StorageUnavailable, match="does not answer within"):
            storage.get(["t1"], Q)
        assert storage.queues() == (Q,)
        storage.close()


def test_where_nobody_listens_the_error_names_the_place() -> None:
    port = free_port()
    with pytest.raises(StorageUnavailable, match=f"{HOST}:{port} cannot be reached: Connection refused"):
        RedisStorage(f"redis://{HOST}:{port}/0")


def test_a_password_may_have_any_characters_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "server") as server, redis.Redis(HOST, server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "m@e", "on", f">{PASSWORD}", "~*", "+@all")
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")
        there = f"{HOST}:{server.port}/1?client_name=us"
        for login in (f"m%40e:{quote(PASSWORD, safe='')}", f":{quote(PASSWORD, safe='')}"):
            RedisStorage(f"redis://{login}@{there}").close()
        for login in ("", "m%40e:wrong@", ":wrong@"):
            with pytest.raises(StorageIncompatible, match="Give user and password"):
                RedisStorage(f"redis://{login}{there}")


def test_a_password_where_none_is_wanted_is_refused(redis_server: RedisServer) -> None:
    with pytest.raises(StorageIncompatible, match="refuses this client: AUTH <password> called without"):
        RedisStorage(f"redis://:secret@{HOST}:{redis_server.port}/0")


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381),
        ("ASK 1 ::1:7000", "::1", 7000),
        ("MOVED 5 :6380", "", 6380),
        ("MOVED 5 redis-1.example:6380", "redis-1.example", 6380),
    ],
)
def test_a_redirection_says_where(line: str, host: str, port: int) -> None:
    error = read_error(line)
    assert isinstance(error, Redirected)
    assert (error.code, error.host, error.port) == (line.partition(" ")[0], host, port)


@pytest.mark.parametrize(
    "key", [b"foo", b"{q}:x", b"a{q}{r}", b"{}x", b"{x", b"x}{y}", b"", b"{{x}}", b"dq:{\xff}:wake"]
)
def test_the_slot_of_a_key_is_the_one_that_redis_takes(key: bytes) -> None:
    assert slot_of_key(key) == key_slot(key)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=tests"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), "-addext", f"subjectAltName=IP:{HOST}", *files], check=True, capture_output=True)
    return folder


def test_over_tls_work_is_done_and_waited_for_by_clients_that_know_each_other(
    certificate: Path, tmp_path: Path
) -> None:
    cert, key, port = certificate / "cert.pem", certificate / "key.pem", free_port()
    secured: Any = {
        "tls-port": str(port),
        "tls-cert-file": str(cert),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(cert),
    }
    trusting = f"rediss://{HOST}:{port}/0?ssl_ca_certs={quote(str(cert))}"
    with RedisServer(tmp_path / "server", **secured):
        storage = RedisStorage(f"{trusting}&ssl_certfile={quote(str(cert))}&ssl_keyfile={quote(str(key))}")
        body = b"x" * 300_000
        assert storage.enqueue([new_task("t1", body=body)]) == [True]
        assert storage.wait([Q], 10.0) == (Q,)
        assert [task.body for task in storage.claim(request()).tasks] == [body]
        assert storage.wait([Q], 0.01) == ()
        storage.close()
        for stranger in (trusting, f"rediss://{HOST}:{port}/0", f"redis://{HOST}:{port}/0"):
            with pytest.raises(StorageUnavailable):
                RedisStorage(stranger)
