"""Clients that are slow, greedy, many, or speak no HTTP."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from distributed_queue.api.connection import ConnectionLimits
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = 0.2
QUICK = ConnectionLimits(head_seconds=SHORT, body_seconds=SHORT, keep_alive_seconds=SHORT, head_bytes=8 << 10)
SUBMIT = b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    document: dict[str, object]


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(limits=QUICK) as served:
        yield served


def dial(api: Api) -> closing[socket.socket]:
    connection = socket.create_connection(("127.0.0.1", api.port), LIMIT)
    connection.settimeout(LIMIT)
    return closing(connection)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes, be it with a reset."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def answer_of(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, json.loads(body))


def refusal(api: Api, *pieces: bytes) -> Answer:
    """The problem document that is answered to this, before the connection is closed."""
    with dial(api) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = answer_of(read_all(connection))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.document["status"] == answer.status
    assert answer.headers["x-request-id"] in str(answer.document["instance"])
    return answer


def well(api: Api, tasks: int = 0) -> None:
    """The server still serves, and nothing was stored but so many tasks."""
    assert api.client.get("/health").status_code == 200
    assert api.get("/stats")["queue_size"] == tasks


@pytest.mark.parametrize("begun", [b"G", SUBMIT, HEALTH[:-2]])
def test_a_head_that_does_not_end_is_refused(api: Api, begun: bytes) -> None:
    answer = refusal(api, begun)
    assert (answer.status, answer.document["code"]) == (408, "request-timeout")
    well(api)


def test_a_client_that_says_nothing_is_let_go(api: Api) -> None:
    with dial(api) as connection:
        assert read_all(connection) == b""


def test_a_head_that_comes_byte_by_byte_gets_no_more_time(api: Api) -> None:
    with dial(api) as connection:
        received = b""
        connection.settimeout(SHORT / 20)
        for byte in SUBMIT * 1000:
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            break
        connection.settimeout(LIMIT)
        received += read_all(connection)
    assert answer_of(received).status == 408


@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_body_that_stalls_is_refused_and_stores_nothing(api: Api, length: bytes) -> None:
    answer = refusal(api, SUBMIT + length + b"\r\n\r\n", b"5\r\n{")
    assert (answer.status, answer.document["code"]) == (408, "request-timeout")
    well(api)


def test_a_body_that_announces_less_than_it_has_leaves_garbage_that_is_refused(api: Api) -> None:
    body = b'{"payload":1}'
    with dial(api) as connection:
        connection.sendall(SUBMIT + b"Content-Length: %d\r\n\r\n" % len(body) + body + b'{"payload":2}\r\n\r\n')
        received = read_all(connection)
    assert received.startswith(b"HTTP/1.1 201 ")
    assert b"HTTP/1.1 400 " in received
    well(api, tasks=1)


def test_an_idle_connection_is_closed(api: Api) -> None:
    with dial(api) as connection:
        connection.sendall(HEALTH)
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_a_long_wait_and_a_stream_outlive_the_limits() -> None:
    with serve(limits=QUICK, ping_seconds=SHORT) as api:
        task = api.submit("x")
        assert api.get(f"/tasks/{task['task_id']}", wait=4 * SHORT)["status"] == "pending"
        with api.client.stream("GET", "/events") as stream:
            received = stream.iter_raw()
            assert b": ping" in b"".join(next(received) for _ in range(5))


def test_headers_without_end_are_refused(api: Api) -> None:
    answer = refusal(api, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
    assert (answer.status, answer.document["code"]) == (431, "headers-too-large")
    well(api)


def test_headers_that_come_all_at_once_are_refused_too(api: Api) -> None:
    answer = refusal(api, b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 60_000 + b"\r\n\r\n")
    assert (answer.status, answer.document["code"]) == (431, "headers-too-large")


def test_an_address_without_end_is_refused(api: Api) -> None:
    answer = refusal(api, b"GET /api/v1/tasks?cursor=" + b"x" * 100_000)
    assert (answer.status, answer.document["code"]) == (414, "address-too-long")
    well(api)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        SUBMIT + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        SUBMIT + b"Content-Length: -1\r\n\r\n",
        SUBMIT + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n{}\r\n",
        SUBMIT + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        SUBMIT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}garbage",
        SUBMIT + b"Transfer-Encoding: gzip\r\n\r\n",
        SUBMIT + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(api: Api, garbage: bytes) -> None:
    answer = refusal(api, garbage)
    assert (answer.status, answer.document["code"]) == (400, "bad-request")
    well(api)


def test_garbage_after_a_request_is_refused_after_its_answer(api: Api) -> None:
    with dial(api) as connection:
        connection.sendall(HEALTH + HEALTH + b"garbage\r\n\r\n" * 1000)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert received.count(b"HTTP/1.1 400 ") == 1
    well(api)


def test_garbage_behind_a_request_that_waits_its_turn_is_refused_after_both_answers(api: Api) -> None:
    with dial(api) as connection:
        connection.sendall(HEALTH + HEALTH + SUBMIT + b"Transfer-Encoding: chunked\r\n\r\ngarbage\r\n")
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert received.count(b"HTTP/1.1 400 ") == 1
    well(api)


def test_a_request_for_another_protocol_is_answered_in_this_one(api: Api) -> None:
    body = b'{"payload":1}'
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    with dial(api) as connection:
        connection.sendall(SUBMIT + upgrade + b"Content-Length: %d\r\n\r\n" % len(body) + body + HEALTH)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 201 ") == 1
    assert received.count(b"HTTP/1.1 200 ") == 1
    well(api, tasks=1)


def test_trailers_are_no_headers(api: Api) -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + b'{"payload":1}' + b"\r\n0\r\nX-Request-ID: mine\r\n\r\n"
    with dial(api) as connection:
        connection.sendall(SUBMIT + chunks)
        answer = answer_of(read_all(connection))
    assert answer.status == 201
    assert answer.headers["x-request-id"] != "mine"


def test_trailers_without_end_are_refused(api: Api) -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    answer = refusal(api, SUBMIT + chunks, *[b"X-Filler: " + b"x" * 1000 + b"\r\n"] * 100)
    assert (answer.status, answer.document["code"]) == (431, "headers-too-large")
    well(api)


def test_an_answer_before_the_body_is_over_leaves_a_connection_that_can_be_used(api: Api) -> None:
    body = b"x" * 100_000
    with dial(api) as connection:
        head = b"POST /api/v1/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body + HEALTH)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 404 ") == 1
    assert received.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_a_compressed_body_is_refused(api: Api, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    api.problem(api.client.post("/tasks", content=b"\x1f\x8b", headers=headers), 415, "unsupported-media-type")
    batch = api.client.post("/dead-letters/requeue", content=b"\x1f\x8b", headers=headers)
    api.problem(batch, 415, "unsupported-media-type")


def test_a_client_that_closes_its_half_leaves_nothing_behind(api: Api) -> None:
    with dial(api) as connection:
        connection.sendall(SUBMIT + b"Content-Length: 100\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    well(api)


@contextmanager
def crowd(api: Api, size: int) -> Iterator[list[socket.socket]]:
    """Connections that are open, each with an answer."""
    connections = []
    try:
        for _ in range(size):
            connection = socket.create_connection(("127.0.0.1", api.port), LIMIT)
            connections.append(connection)
            connection.sendall(HEALTH)
            assert connection.recv(12) == b"HTTP/1.1 200"
        yield connections
    finally:
        for connection in connections:
            connection.close()


def test_connections_beyond_the_limit_are_told_to_come_back() -> None:
    with serve(limits=ConnectionLimits(connections=5, keep_alive_seconds=60.0)) as api:
        with crowd(api, 5):
            for _ in range(20):
                answer = refusal(api, HEALTH)
                assert (answer.status, answer.document["code"]) == (503, "too-many-connections")
                assert answer.headers["retry-after"] == "1"
        eventually(lambda: api.client.get("/health").status_code == 200)


def is_open_to_streams(api: Api) -> bool:
    with api.client.stream("GET", "/events") as stream:
        return stream.status_code == 200


def test_streams_beyond_the_limit_are_told_to_come_back_and_hold_nobody_up() -> None:
    with serve(max_streams=3) as api:
        with ExitStack() as open_streams:
            for _ in range(3):
                open_streams.enter_context(api.client.stream("GET", "/events"))
            for _ in range(30):
                refused = api.client.get("/events")
                api.problem(refused, 503, "too-many-streams")
                assert int(refused.headers["retry-after"]) >= 1
            api.submit("x")
        eventually(lambda: is_open_to_streams(api))
