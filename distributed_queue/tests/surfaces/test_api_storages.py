"""The API over every storage: the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.api_server import Api, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api(storage_url: str) -> Iterator[Api]:
    with HybridQueue.from_url(storage_url) as queue, serve_with_workers(queue) as served:
        yield served


def test_a_task_is_submitted_run_and_seen(api: Api) -> None:
    done = api.run({"type": "simple", "data": "Hello World"}, priority=1)
    assert (done["status"], done["result"], done["attempts"]) == ("completed", "Completed: Hello World", 1)
    assert api.get("/tasks", status="completed")["items"][0]["task_id"] == done["task_id"]


def test_a_task_fails_is_listed_and_comes_back(api: Api) -> None:
    dead = api.run({"type": "boom", "data": 1}, max_retries=1)
    assert (dead["status"], dead["retry_count"]) == ("dead", 2)
    assert [letter["task_id"] for letter in api.get("/dead-letters")["items"]] == [dead["task_id"]]
    assert api.post("/dead-letters/requeue", {"all": True}) == {"requeued": 1}
    again = api.get(f"/tasks/{dead['task_id']}", wait=LIMIT)
    assert again["status"] == "dead"


def test_a_submission_is_repeated_safely(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [api.client.post("/tasks", json={"payload": 1}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["task_id"] == answers[1].json()["task_id"]
    other = api.client.post("/tasks", json={"payload": 2}, headers=headers)
    api.problem(other, 422, "idempotency-mismatch")


def test_a_repeated_time_is_the_same_time(api: Api) -> None:
    body = {"payload": 1, "task_id": "t", "execute_after": 4_000_000_000.123456, "expires_at": 4_000_000_001.98765}
    answers = [api.client.post("/tasks", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]


def test_a_batch_is_stored_and_listed_page_by_page(api: Api) -> None:
    api.post("/queues/default/pause")
    batch = api.post("/tasks/batch", {"tasks": [{"payload": number} for number in range(25)]})
    wanted = [item["task_id"] for item in batch["items"]]
    seen: list[str] = []
    response = api.client.get("/tasks", params={"limit": 10, "status": "pending"})
    while "next" in response.links:
        seen += [task["task_id"] for task in response.json()["items"]]
        response = api.client.get(api.url + response.links["next"]["url"])
    assert [*seen, *(task["task_id"] for task in response.json()["items"])] == wanted
    assert api.ok(api.client.delete("/queue/clear", params={"queue": "default"})) == {"cleared": 25}


def test_a_full_queue_says_so(api: Api) -> None:
    api.post("/queues/default/pause")
    api.ok(api.client.patch("/queues/default", json={"max_size": 1}))
    api.submit("x")
    problem = api.problem(api.client.post("/tasks", json={"payload": 1}), 429, "queue-full")
    assert (problem["depth"], problem["limit"]) == (1, 1)


def test_probes_and_metrics_answer(api: Api) -> None:
    api.run({"type": "simple"})
    assert api.get("/ready")["workers"] == {"total": 1, "claiming": 1}
    assert 'distributedq_tasks_finished_total{outcome="succeeded"' in api.client.get("/metrics").text
    assert api.get("/metrics/json")["all"]["totals"]["finished_completed"] == 1
    assert api.get("/stats")["counts"]["completed"] == 1
    assert [worker["name"] for worker in api.get("/workers")["items"]] == ["w1"]


def test_events_come_as_they_happen_and_again_from_an_id(api: Api) -> None:
    with api.client.stream("GET", "/events") as response:
        lines = response.iter_lines()
        start = next(line for line in lines if line.startswith("id: "))[4:]
        task = api.run({"type": "simple"})
        live = [next(line for line in lines if line.startswith("event: ")) for _ in range(3)]
    with api.client.stream("GET", "/events", headers={"Last-Event-ID": start}) as response:
        lines = response.iter_lines()
        again = [next(line for line in lines if line.startswith("event: ")) for _ in range(3)]
    assert live == again == ["event: task.enqueued", "event: task.claimed", "event: task.completed"]
    assert task["status"] == "completed"
