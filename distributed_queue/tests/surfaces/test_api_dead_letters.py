"""Dead letters over REST: list, requeue, delete."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from distributed_queue.api.models.tasks import PageOut
from distributed_queue.tests.surfaces.api_server import Api, dead_letters, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def listed(api: Api, **filters: str) -> set[str]:
    return {task["task_id"] for task in api.get("/dead-letters", **filters)["items"]}


def test_dead_letters_are_listed_with_their_errors(api: Api) -> None:
    ids = dead_letters(api, 2)
    page = api.get("/dead-letters")
    PageOut.model_validate(page)
    assert {task["task_id"] for task in page["items"]} == set(ids)
    assert {task["error"] for task in page["items"]} == {"it broke"}
    assert api.get("/stats")["dead_letter_count"] == 2


def test_dead_letters_come_in_pages(api: Api) -> None:
    ids = dead_letters(api, 5)
    seen: list[str] = []
    response = api.client.get("/dead-letters", params={"limit": 2})
    while "next" in response.links:
        seen += [task["task_id"] for task in response.json()["items"]]
        response = api.client.get(api.url + response.links["next"]["url"])
    seen += [task["task_id"] for task in response.json()["items"]]
    assert sorted(seen) == sorted(ids)


def test_some_are_requeued(api: Api) -> None:
    ids = dead_letters(api, 3)
    assert api.post("/dead-letters/requeue", {"ids": ids[:2]}) == {"requeued": 2}
    assert listed(api) == {ids[2]}
    assert api.get(f"/tasks/{ids[0]}")["status"] == "pending"


def test_what_is_no_dead_letter_is_passed_over(api: Api) -> None:
    alive = api.submit("x", delay=100)["task_id"]
    assert api.post("/dead-letters/requeue", {"ids": [alive, "nothing"]}) == {"requeued": 0}
    assert api.get(f"/tasks/{alive}")["status"] == "scheduled"


def test_all_are_requeued_of_one_queue_or_of_every(api: Api) -> None:
    dead_letters(api, 2, queue="a")
    kept = dead_letters(api, 1, queue="b")
    assert api.post("/dead-letters/requeue", {"all": True, "queue": "a"}) == {"requeued": 2}
    assert listed(api) == set(kept)
    assert api.post("/dead-letters/requeue", {"all": True}) == {"requeued": 1}
    assert listed(api) == set()


def test_they_are_requeued_at_a_rate(api: Api) -> None:
    ids = [*dead_letters(api, 2, queue="a"), *dead_letters(api, 1, queue="b")]
    assert api.post("/dead-letters/requeue", {"all": True, "rate": 0.01}) == {"requeued": 3}
    tasks = [api.get(f"/tasks/{task_id}") for task_id in ids]
    assert sorted(task["status"] for task in tasks) == ["pending", "scheduled", "scheduled"]
    due = [datetime.fromisoformat(task["execute_after"][:-1]) for task in tasks if task["status"] == "scheduled"]
    assert (max(due) - min(due)).total_seconds() == pytest.approx(100, abs=60)


@pytest.mark.parametrize("rate", [0, -1, 1e9, "fast", True])
def test_a_rate_that_makes_no_sense_is_refused(api: Api, rate: object) -> None:
    ids = dead_letters(api, 1)
    body = {"all": True, "rate": rate}
    api.problem(api.client.post("/dead-letters/requeue", json=body), 422, "invalid-request")
    assert listed(api) == set(ids)


def test_some_are_deleted_by_body_or_query(api: Api) -> None:
    ids = dead_letters(api, 4)
    assert api.ok(api.client.request("DELETE", "/dead-letters", json={"ids": ids[:1]})) == {"deleted": 1}
    assert api.ok(api.client.delete("/dead-letters", params={"id": ids[1:3]})) == {"deleted": 2}
    assert listed(api) == {ids[3]}
    api.problem(api.client.get(f"/tasks/{ids[0]}"), 404, "task-not-found")


def test_all_are_deleted_by_body_or_query(api: Api) -> None:
    dead_letters(api, 2, queue="a")
    dead_letters(api, 1, queue="b")
    assert api.ok(api.client.delete("/dead-letters", params={"all": True, "queue": "a"})) == {"deleted": 2}
    assert api.ok(api.client.request("DELETE", "/dead-letters", json={"all": True})) == {"deleted": 1}
    assert listed(api) == set()


def test_an_id_of_another_queue_is_not_touched(api: Api) -> None:
    ids = dead_letters(api, 1, queue="a")
    assert api.post("/dead-letters/requeue", {"ids": ids, "queue": "b"}) == {"requeued": 0}
    assert listed(api, queue="a") == set(ids)
