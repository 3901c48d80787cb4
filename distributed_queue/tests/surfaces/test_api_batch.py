"""Batches: many tasks in one step, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api.models.tasks import BatchOut
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def submit(api: Api, *tasks: Any, **headers: str) -> httpx.Response:
    return api.client.post("/tasks/batch", json={"tasks": tasks}, headers=headers)


def stored(api: Api) -> int:
    count: int = api.get("/stats")["queue_size"]
    return count


def test_a_batch_tells_the_id_of_each_task_in_order(api: Api) -> None:
    response = submit(api, {"payload": 1}, {"payload": 2, "task_id": "two"}, {"payload": 3, "queue": "other"})
    batch = response.json()
    BatchOut.model_validate(batch)
    assert response.status_code == 201
    assert (batch["count"], batch["new_count"]) == (3, 3)
    assert [api.get(f"/tasks/{item['task_id']}")["payload"] for item in batch["items"]] == [1, 2, 3]
    assert batch["items"][1] == {"task_id": "two", "new": True}


def test_ten_thousand_are_taken_at_once(api: Api) -> None:
    response = submit(api, *[{"payload": number} for number in range(10_000)])
    assert response.json()["new_count"] == 10_000
    assert stored(api) == 10_000


def test_more_than_ten_thousand_are_refused(api: Api) -> None:
    problem = api.problem(submit(api, *[{"payload": 0}] * 10_001), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "#/tasks"
    assert stored(api) == 0


def test_one_bad_task_refuses_all_and_is_named(api: Api) -> None:
    problem = api.problem(submit(api, {"payload": 1}, {"payload": 2, "priority": -1}), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "#/tasks/1/priority"
    problem = api.problem(submit(api, {"payload": 1}, {"payload": 2**70}), 422, "invalid-task")
    assert problem["errors"][0]["pointer"] == "#/tasks/1/payload"
    assert stored(api) == 0


def test_one_task_over_the_limit_refuses_all(api: Api) -> None:
    problem = api.problem(submit(api, {"payload": 1}, {"payload": "x" * (1 << 20)}), 413, "payload-too-large")
    assert problem["errors"][0]["pointer"] == "#/tasks/1/payload"
    assert stored(api) == 0


def test_a_full_queue_takes_nothing_of_a_batch() -> None:
    with serve() as api:
        api.queue.configure(max_size=3)
        api.submit(0)
        problem = api.problem(submit(api, *[{"payload": number} for number in range(3)]), 429, "queue-full")
        assert (problem["depth"], problem["limit"], problem["queue"]) == (1, 3, "default")
        assert stored(api) == 1


def test_tasks_that_are_known_are_told_apart(api: Api) -> None:
    api.submit(1, task_id="one")
    response = submit(api, {"payload": 1, "task_id": "one"}, {"payload": 2, "task_id": "two"})
    assert response.status_code == 201
    assert [item["new"] for item in response.json()["items"]] == [False, True]
    again = submit(api, {"payload": 1, "task_id": "one"}, {"payload": 2, "task_id": "two"})
    assert again.status_code == 200
    assert again.json()["new_count"] == 0


def test_a_known_id_with_another_content_refuses_all(api: Api) -> None:
    api.submit(1, task_id="one")
    response = submit(api, {"payload": 0}, {"payload": 2, "task_id": "one"})
    assert api.problem(response, 409, "task-conflict")["errors"][0]["pointer"] == "#/tasks/1"
    assert stored(api) == 1


def test_one_id_twice_in_a_batch_is_one_task_or_a_conflict(api: Api) -> None:
    same = {"payload": 1, "task_id": "one"}
    assert [item["new"] for item in submit(api, same, same).json()["items"]] == [True, False]
    other = {"payload": 2, "task_id": "two"}
    api.problem(submit(api, other, {**other, "payload": 3}), 409, "task-conflict")
    assert stored(api) == 1


def test_a_repeated_batch_with_a_key_stores_nothing_more(api: Api) -> None:
    key = {"Idempotency-Key": "batch-1"}
    first = submit(api, {"payload": 1}, {"payload": 2}, **key)
    again = submit(api, {"payload": 1}, {"payload": 2}, **key)
    assert first.status_code == 201
    assert again.status_code == 200
    assert again.headers["idempotency-replayed"] == "true"
    ids = [[item["task_id"] for item in response.json()["items"]] for response in (first, again)]
    assert ids[0] == ids[1]
    assert stored(api) == 2


def test_a_key_that_was_used_for_another_batch_is_refused(api: Api) -> None:
    key = {"Idempotency-Key": "batch-1"}
    submit(api, {"payload": 1}, **key)
    api.problem(submit(api, {"payload": 2}, **key), 422, "idempotency-mismatch")
    assert stored(api) == 1


@pytest.mark.parametrize("body", [{"tasks": []}, {}, [], {"tasks": {}}, {"tasks": [1]}, {"tasks": [], "more": 1}])
def test_a_body_that_is_no_batch_is_refused(api: Api, body: Any) -> None:
    api.problem(api.client.post("/tasks/batch", json=body), 422, "invalid-request")
