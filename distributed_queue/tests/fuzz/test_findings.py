"""What schemathesis found in the API, each kept from coming back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


@pytest.mark.parametrize("rate", [5e-324, 1e-9])
def test_a_rate_limit_that_no_clock_could_keep_is_refused_and_blocks_nothing(storage_url: str, rate: float) -> None:
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        api.problem(api.client.patch("/queues/default", json={"rate_limit": rate}), 422, "invalid-request")
        api.submit("x")
        assert queue.get(timeout=5) is not None


def test_the_lowest_rate_limit_is_kept(storage_url: str) -> None:
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        api.ok(api.client.patch("/queues/default", json={"rate_limit": 1e-6}))
        api.submit("x")
        api.submit("y")
        assert queue.get(timeout=5) is not None
        assert queue.get(block=False) is None


@pytest.mark.parametrize(
    "name", ["max_size", "concurrency", "rate_burst", "max_crashes", "retention_count", "journal_max_bytes"]
)
def test_a_setting_too_large_for_some_storage_is_refused_by_all(storage_url: str, name: str) -> None:
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        api.problem(api.client.patch("/queues/default", json={name: 1 << 70}), 422, "invalid-request")


def test_the_largest_settings_are_kept(storage_url: str) -> None:
    most = {"max_size": 1 << 53, "concurrency": 1 << 53, "max_crashes": 1 << 53, "retention_count": 1 << 53}
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        kept = api.ok(api.client.patch("/queues/default", json=most))["settings"]
        assert {name: kept[name] for name in most} == most
        api.submit("x")
        assert queue.get(timeout=5) is not None


def test_whole_numbers_may_be_written_with_a_point(api: Api) -> None:
    assert api.submit("x", priority=7.0, max_retries=2.0)["priority"] == 7
    assert api.ok(api.client.patch("/queues/default", json={"max_size": 815.0}))["settings"]["max_size"] == 815
    api.problem(api.client.post("/tasks", json={"payload": 1, "priority": 7.5}), 422, "invalid-request")


def test_a_point_in_the_payload_stays(api: Api) -> None:
    answer = api.client.post("/tasks", content=b'{"payload": 1.0}', headers={"content-type": "application/json"})
    assert b'"payload":1.0' in answer.content


def test_a_time_before_the_epoch_is_over(api: Api) -> None:
    assert api.submit("x", execute_after="0076-12-21T14:37:29Z")["status"] == "pending"
    api.problem(api.client.post("/tasks", json={"payload": 1, "expires_at": -1.5}), 422, "invalid-request")


def test_a_wait_is_held_no_longer_than_the_server_allows() -> None:
    with serve(max_wait_seconds=0.01) as api:
        task = api.submit("x")
        assert api.get(f"/tasks/{task['task_id']}", wait=60)["status"] == "pending"


def test_an_id_that_is_taken_is_not_blamed_on_the_idempotency_key(api: Api) -> None:
    api.submit("x", task_id="a")
    headers = {"Idempotency-Key": "k"}
    body = {"payload": "y", "task_id": "a"}
    api.problem(api.client.post("/tasks", json=body, headers=headers), 409, "task-conflict")
    api.problem(api.client.post("/tasks/batch", json={"tasks": [body]}, headers=headers), 409, "task-conflict")


def test_the_header_allow_tells_of_this_address_only(api: Api) -> None:
    assert api.client.put("/tasks/batch").headers["allow"] == "POST"
    assert api.client.put("/workers/stop").headers["allow"] == "POST"
    assert api.client.put("/tasks/x").headers["allow"] == "GET, HEAD"
