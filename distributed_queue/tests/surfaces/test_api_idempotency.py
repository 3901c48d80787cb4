"""Submitting again: nothing is stored twice, and a different content is told apart."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.tests.steps import LIMIT, take
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def keyed(api: Api, body: dict[str, Any], key: str = "order-1") -> httpx.Response:
    return api.client.post("/tasks", json=body, headers={"Idempotency-Key": key})


def pending(api: Api) -> int:
    count: int = api.get("/stats")["counts"]["pending"]
    return count


def test_the_same_id_and_content_is_the_same_task(api: Api) -> None:
    first = api.submit({"b": 1, "a": 2}, task_id="mine")
    again = api.client.post("/tasks", json={"payload": {"a": 2, "b": 1}, "task_id": "mine"})
    assert again.status_code == 200
    assert again.json()["task_id"] == "mine"
    assert again.headers["location"] == "/api/v1/tasks/mine"
    assert first["status"] == again.json()["status"]
    assert pending(api) == 1


def test_the_same_id_with_another_content_is_a_conflict(api: Api) -> None:
    api.submit({"a": 1}, task_id="mine")
    for change in (
        {"payload": {"a": True}},
        {"payload": {"a": 1}, "priority": 1},
        {"payload": {"a": 1}, "queue": "other"},
        {"payload": {"a": 1}, "max_retries": 1},
        {"payload": {"a": 1}, "timeout": 1},
        {"payload": {"a": 1}, "expires_at": 4e9},
        {"payload": {"a": 1}, "retry": {"base": 1}},
    ):
        response = api.client.post("/tasks", json={"task_id": "mine", **change})
        assert api.problem(response, 409, "task-conflict")["task_id"] == "mine"
    assert pending(api) == 1


def test_another_time_is_another_content_while_it_counts(api: Api) -> None:
    body = {"payload": 1, "task_id": "later", "execute_after": 4_000_000_000}
    assert api.client.post("/tasks", json=body).status_code == 201
    assert api.client.post("/tasks", json=body).status_code == 200
    api.problem(api.client.post("/tasks", json={**body, "execute_after": 4_000_000_001}), 409, "task-conflict")


def test_a_repeated_key_gets_the_task_of_the_first(api: Api) -> None:
    first = keyed(api, {"payload": "x"})
    again = keyed(api, {"payload": "x"})
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert again.status_code == 200
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["task_id"] == first.json()["task_id"]
    assert pending(api) == 1


def test_a_repeated_key_gets_the_task_as_it_is_now(api: Api) -> None:
    keyed(api, {"payload": "x"})
    api.queue.mark_completed(take(api.queue).task_id, result="done")
    assert keyed(api, {"payload": "x"}).json()["result"] == "done"


def test_a_key_is_taken_with_and_without_quotes(api: Api) -> None:
    ids = {keyed(api, {"payload": "x"}, key).json()["task_id"] for key in ('"order-1"', "order-1")}
    assert len(ids) == 1
    assert pending(api) == 1


@pytest.mark.parametrize("key", ["a" * 255, f'"{"a" * 255}"', "two words", 'a"', '"""', "~"])
def test_a_key_that_its_schema_allows_is_taken(api: Api, key: str) -> None:
    described = api.client.get(f"{api.url}/openapi.json").json()["paths"]["/api/v1/tasks"]["post"]["parameters"]
    (schema,) = (each["schema"] for each in described if each["name"] == "Idempotency-Key")
    assert re.search(schema["pattern"], key)
    assert len(key) <= schema["maxLength"]
    assert keyed(api, {"payload": "x"}, key).status_code == 201


def test_a_key_that_was_used_for_another_task_is_refused(api: Api) -> None:
    keyed(api, {"payload": "x"})
    api.problem(keyed(api, {"payload": "y"}), 422, "idempotency-mismatch")
    api.problem(keyed(api, {"payload": "x", "queue": "other"}), 422, "idempotency-mismatch")
    assert pending(api) == 1


def test_different_keys_are_different_tasks(api: Api) -> None:
    assert (
        keyed(api, {"payload": "x"}, "one").json()["task_id"] != keyed(api, {"payload": "x"}, "two").json()["task_id"]
    )


@pytest.mark.parametrize("key", ["", '"', '""', '"open', '" a"', "a" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    problem = api.problem(keyed(api, {"payload": "x"}, key), 422, "invalid-request")
    assert problem["errors"][0]["header"] == "Idempotency-Key"
    assert pending(api) == 0


def test_a_key_sent_many_times_at_once_stores_one_task(api: Api) -> None:
    answers: list[httpx.Response] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait(LIMIT)
        answers.append(keyed(api, {"payload": "x"}))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert pending(api) == 1
