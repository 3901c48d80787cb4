"""Limits of what a request may send, whatever its headers say."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.api_server import KEY, Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = {"content-type": "application/json"}
MIB = 1 << 20


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def body(size: int) -> bytes:
    """A task whose payload takes ``size`` bytes."""
    return json.dumps({"payload": "x" * size}).encode()


def pieces(data: bytes) -> Iterator[bytes]:
    """In pieces, so that no length is announced."""
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


def test_a_payload_of_almost_a_mebibyte_is_taken(api: Api) -> None:
    assert api.client.post("/tasks", content=body(MIB - 10), headers=JSON).status_code == 201


def test_a_payload_of_more_than_a_mebibyte_is_refused(api: Api) -> None:
    problem = api.problem(api.client.post("/tasks", content=body(MIB), headers=JSON), 413, "payload-too-large")
    assert problem["limit_bytes"] == MIB


@pytest.mark.parametrize("size", [2 * MIB, 8 * MIB])
def test_a_body_that_announces_too_much_is_refused(api: Api, size: int) -> None:
    api.problem(api.client.post("/tasks", content=body(size), headers=JSON), 413, "payload-too-large")
    assert api.get("/stats")["queue_size"] == 0


@pytest.mark.parametrize("size", [2 * MIB, 8 * MIB])
def test_a_body_that_announces_nothing_is_counted_as_it_comes(api: Api, size: int) -> None:
    response = api.client.post("/tasks", content=pieces(body(size)), headers=JSON)
    api.problem(response, 413, "payload-too-large")
    assert api.get("/stats")["queue_size"] == 0


@pytest.mark.parametrize("path", ["/dead-letters/requeue", "/workers", "/workers/w/scale"])
def test_other_endpoints_count_too(api: Api, path: str) -> None:
    api.problem(api.client.post(path, content=pieces(body(2 * MIB)), headers=JSON), 413, "payload-too-large")


def test_a_body_in_pieces_is_taken(api: Api) -> None:
    assert api.client.post("/tasks", content=pieces(body(MIB // 2)), headers=JSON).status_code == 201


def test_the_limit_can_be_chosen() -> None:
    with serve(max_body_bytes=1000, max_batch_bytes=2000) as api:
        api.problem(api.client.post("/tasks", content=body(30_000), headers=JSON), 413, "payload-too-large")
        batch = {"tasks": [{"payload": "x" * 2000}]}
        problem = api.problem(api.client.post("/tasks/batch", json=batch), 413, "payload-too-large")
        assert problem["limit_bytes"] == 2000


def test_a_batch_may_be_larger_than_a_task(api: Api) -> None:
    batch = {"tasks": [{"payload": "x" * 500_000} for _ in range(8)]}
    assert api.post("/tasks/batch", batch)["new_count"] == 8


def test_a_client_that_lies_about_its_length_gets_an_answer(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", api.port), LIMIT) as connection:
        connection.sendall(
            b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999\r\nConnection: close\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(LIMIT)
        answer = connection.recv(65536)
    assert answer == b"" or b" 4" in answer[:20]


def test_a_refused_request_with_a_large_body_still_gets_its_answer() -> None:
    with serve(api_key=KEY) as api:
        response = api.client.post("/tasks", content=body(4 * MIB), headers={**JSON, "X-API-Key": "wrong"})
        api.problem(response, 401, "unauthorized")


def test_a_client_that_leaves_half_way_disturbs_nobody(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", api.port), LIMIT) as connection:
        connection.sendall(
            b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
    assert api.client.get("/health").status_code == 200
    assert api.get("/stats")["queue_size"] == 0
