"""Tasks over REST: submit, look, wait, list, cancel, retry."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api.models.tasks import PageOut, TaskOut
from distributed_queue.tests.steps import LIMIT, eventually, put, take
from distributed_queue.tests.surfaces.api_server import Api, dead_letters, serve, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


@pytest.fixture
def working() -> Iterator[Api]:
    with serve_with_workers() as served:
        yield served


def test_the_body_of_the_specification_is_run_by_a_worker(working: Api) -> None:
    task = working.submit({"type": "simple", "data": "Hello World"}, priority=1)
    done = working.get(f"/tasks/{task['task_id']}", wait=10)
    assert done["status"] == "completed"
    assert done["result"] == "Completed: Hello World"
    assert done["attempts"] == 1
    assert done["priority"] == 1
    TaskOut.model_validate(done)


def test_a_submitted_task_is_answered_with_its_address_and_its_document(api: Api) -> None:
    response = api.client.post("/tasks", json={"payload": {"type": "mail", "to": "x"}})
    task = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/tasks/{task['task_id']}"
    TaskOut.model_validate(task)
    stored = api.ok(api.client.get(api.url + response.headers["location"]))
    assert {**stored, "created_at": None} == {**task, "created_at": None}
    assert task["status"] == "pending"
    assert task["priority"] == 100
    assert task["queue"] == "default"
    assert task["type"] == "mail"


def test_every_field_reaches_the_queue(api: Api) -> None:
    retry = {"backoff": "list", "delays": [1, 2.5], "jitter": 0}
    task = api.submit(
        [1, "two"],
        priority=0,
        queue="a.b-c_1",
        max_retries=7,
        timeout=2.5,
        expires_at=4_000_000_000,
        task_id="mine:1",
        retry=retry,
    )
    stored = api.queue.get_task("mine:1")
    assert stored is not None
    assert (stored.payload, stored.priority, stored.queue) == ([1, "two"], 0, "a.b-c_1")
    assert (stored.max_retries, stored.timeout, stored.expires_at) == (7, 2.5, 4_000_000_000)
    assert stored.retry is not None
    assert stored.retry.delays == (1, 2.5)
    assert task["retry"]["backoff"] == "list"
    assert task["expires_at"] == "2096-10-02T07:06:40.000Z"


@pytest.mark.parametrize("payload", [None, 0, "text", [], {}, {"type": 5}, 1.5, True])
def test_any_json_is_a_payload(api: Api, payload: Any) -> None:
    task = api.submit(payload)
    assert api.get(f"/tasks/{task['task_id']}")["payload"] == payload
    assert task["type"] == "default"


@pytest.mark.parametrize(
    "moment",
    [
        4_000_000_000,
        4_000_000_000.25,
        "2096-10-02T07:06:40Z",
        "2096-10-02T09:06:40+02:00",
        "2096-10-02T07:06:40",
        "2096-10-02T07:06:40.250000Z",
    ],
)
def test_a_time_is_epoch_seconds_or_iso_8601(api: Api, moment: Any) -> None:
    task = api.submit(1, execute_after=moment)
    stored = api.get(f"/tasks/{task['task_id']}")
    assert task["status"] == stored["status"] == "scheduled"
    due = datetime.fromisoformat(stored["execute_after"].replace("Z", "+00:00")).timestamp()
    assert due == (4_000_000_000.25 if ".25" in str(moment) else 4_000_000_000)


def test_a_time_in_the_past_means_now(api: Api) -> None:
    assert api.submit(1, execute_after=1_000_000_000)["status"] == "pending"


def test_a_delay_is_from_now(api: Api) -> None:
    task = api.submit(1, delay=3600)
    stored = api.get(f"/tasks/{task['task_id']}")
    due = datetime.fromisoformat(stored["execute_after"].replace("Z", "+00:00"))
    assert stored["status"] == "scheduled"
    assert 3590 < (due - datetime.now(timezone.utc)).total_seconds() <= 3600


def test_an_unknown_task_is_not_found(api: Api) -> None:
    problem = api.problem(api.client.get("/tasks/nothing"), 404, "task-not-found")
    assert problem["task_id"] == "nothing"


def test_waiting_ends_with_the_task(api: Api) -> None:
    task = api.submit("x")
    seen: list[Any] = []
    waiting = threading.Thread(target=lambda: seen.append(api.get(f"/tasks/{task['task_id']}", wait=LIMIT)))
    waiting.start()
    taken = take(api.queue)
    api.queue.mark_completed(taken.task_id, result={"sum": 3})
    waiting.join(LIMIT)
    assert seen[0]["status"] == "completed"
    assert seen[0]["result"] == {"sum": 3}


def test_waiting_gives_the_present_state_when_the_time_is_over(api: Api) -> None:
    task = api.submit("x")
    started = time.monotonic()
    assert api.get(f"/tasks/{task['task_id']}", wait=0.2)["status"] == "pending"
    assert 0.15 < time.monotonic() - started < LIMIT / 2


def test_waiting_for_an_unknown_task_does_not_wait(api: Api) -> None:
    api.problem(api.client.get("/tasks/nothing", params={"wait": 30}), 404, "task-not-found")


def test_waiting_longer_than_a_minute_is_refused(api: Api) -> None:
    problem = api.problem(api.client.get("/tasks/x", params={"wait": 61}), 422, "invalid-request")
    assert problem["errors"][0]["parameter"] == "wait"


def test_a_failed_task_tells_its_error_and_on_request_its_traceback(working: Api) -> None:
    task = working.run({"type": "boom", "data": 7}, max_retries=0)
    assert task["status"] == "dead"
    assert task["error"] == "ValueError: cannot do 7"
    assert task["reason"] == "failed"
    assert "traceback" not in task
    assert "in fail" in working.get(f"/tasks/{task['task_id']}", traceback=True)["traceback"]


def test_listing_filters_by_queue_state_and_type(api: Api) -> None:
    ids = {
        name: api.submit({"type": task_type}, queue=queue, **fields)["task_id"]
        for name, queue, task_type, fields in [
            ("plain", "a", "mail", {}),
            ("other", "b", "mail", {}),
            ("typed", "a", "call", {}),
            ("later", "a", "mail", {"delay": 100}),
        ]
    }

    def listed(**filters: str) -> set[str]:
        page = api.get("/tasks", **filters)
        PageOut.model_validate(page)
        found = {task["task_id"] for task in page["items"]}
        return {name for name, task_id in ids.items() if task_id in found}

    assert listed() == set(ids)
    assert listed(queue="b") == {"other"}
    assert listed(type="call") == {"typed"}
    assert listed(status="scheduled") == {"later"}
    assert listed(queue="a", type="mail", status="pending") == {"plain"}
    assert listed(queue="nowhere") == set()


def test_pages_lead_to_each_other_and_have_everything_once(api: Api) -> None:
    wanted = [api.submit(number, queue="many")["task_id"] for number in range(7)]
    seen: list[str] = []
    response = api.client.get("/tasks", params={"queue": "many", "limit": 3})
    while True:
        page = response.json()
        seen += [task["task_id"] for task in page["items"]]
        if page["next_cursor"] is None:
            assert "link" not in response.headers
            break
        assert len(page["items"]) == 3
        assert f"cursor={page['next_cursor']}".rstrip("=") in response.headers["link"].replace("%3D", "=")
        assert response.links["next"]["rel"] == "next"
        response = api.client.get(api.url + response.links["next"]["url"])
    assert seen == wanted


def test_a_cursor_of_something_else_is_refused(api: Api) -> None:
    api.problem(api.client.get("/tasks", params={"cursor": "bm9uc2Vuc2U="}), 400, "invalid-cursor")


@pytest.mark.parametrize(
    "parameters",
    [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"status": "odd"}, {"queue": "a b"}, {"type": "t" * 201}],
)
def test_a_filter_that_makes_no_sense_is_refused(api: Api, parameters: dict[str, Any]) -> None:
    problem = api.problem(api.client.get("/tasks", params=parameters), 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == list(parameters)


def test_a_waiting_task_is_cancelled(api: Api) -> None:
    task = api.submit("x")
    assert api.post(f"/tasks/{task['task_id']}/cancel")["status"] == "cancelled"
    problem = api.problem(api.client.post(f"/tasks/{task['task_id']}/cancel"), 409, "task-conflict")
    assert problem["task_status"] == "cancelled"


def test_a_running_task_is_asked_to_stop(api: Api) -> None:
    task = api.submit("x")
    take(api.queue)
    asked = api.post(f"/tasks/{task['task_id']}/cancel")
    assert asked["status"] == "processing"
    assert asked["cancel_requested"] is True


def test_a_dead_task_is_retried(api: Api) -> None:
    (task_id,) = dead_letters(api, 1)
    again = api.post(f"/tasks/{task_id}/retry")
    assert again["status"] == "pending"
    assert again["error"] is None
    assert again["retry_count"] == 0


def test_a_delayed_task_is_run_at_once_on_request(api: Api) -> None:
    task = api.submit("x", delay=1000)
    assert api.post(f"/tasks/{task['task_id']}/retry")["status"] == "pending"


def test_what_is_running_cannot_be_retried(api: Api) -> None:
    task = put(api.queue, "x")
    take(api.queue)
    problem = api.problem(api.client.post(f"/tasks/{task.task_id}/retry"), 409, "task-conflict")
    assert problem["task_status"] == "processing"
    assert "processing" in problem["detail"]


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_an_unknown_task_can_be_neither_cancelled_nor_retried(api: Api, verb: str) -> None:
    api.problem(api.client.post(f"/tasks/nothing/{verb}"), 404, "task-not-found")


def test_many_submit_at_once_and_each_task_is_stored_once(api: Api) -> None:
    def submit() -> None:
        for number in range(25):
            api.submit(number, queue="crowd")

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    eventually(lambda: api.get("/queues/crowd")["counts"]["pending"] == 200)


def test_a_task_tells_of_its_attempts_and_a_listing_does_not(api: Api) -> None:
    task = api.submit("x", task_id="tried")
    assert task["history"] == []
    for number in range(2):
        take(api.queue, f"w{number}", timeout=LIMIT)
        assert api.queue.mark_failed("tried", LookupError(f"trouble {number}"))
        api.queue.requeue("tried")
    take(api.queue, "w2", timeout=LIMIT)
    known = api.get("/tasks/tried")
    TaskOut.model_validate(known)
    told = [(each["attempt"], each["outcome"], each["worker_id"], each["error"]) for each in known["history"]]
    assert told == [(1, "failed", "w0", "trouble 0"), (2, "failed", "w1", "trouble 1"), (3, "running", "w2", None)]
    assert "traceback" not in known["history"][0]
    assert "traceback" in api.get("/tasks/tried", traceback="true")["history"][0]
    assert "history" not in api.get("/tasks")["items"][0]
