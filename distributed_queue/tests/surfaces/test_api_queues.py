"""Queues over REST: statistics, pause, resume, settings, clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.api.models.queues import QueueOut, QueuesOut, StatsOut
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.steps import take
from distributed_queue.tests.surfaces.api_server import Api, dead_letters, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def test_statistics_count_by_state_and_queue() -> None:
    with HybridQueue(max_size=1000, rate_limit=100) as queue, serve(queue) as api:
        dead_letters(api, 1)
        for number in range(3):
            api.submit(number)
        api.submit("later", queue="other", delay=100)
        take(api.queue)
        stats = api.get("/stats")
    StatsOut.model_validate(stats)
    assert stats["queue_size"] == 3
    assert stats["dead_letter_count"] == 1
    assert stats["max_size"] == 1000
    assert stats["rate_limit"] == 100
    assert stats["workers"] == 0
    assert stats["counts"]["processing"] == 1
    assert stats["queues"]["default"]["counts"]["pending"] == 2
    assert stats["queues"]["other"]["counts"]["scheduled"] == 1


def test_an_empty_queue_has_statistics_too(api: Api) -> None:
    stats = api.get("/stats")
    StatsOut.model_validate(stats)
    assert stats["queue_size"] == 0
    assert stats["max_size"] is None


def test_queues_are_listed_by_name(api: Api) -> None:
    for name in ("zebra", "ant"):
        api.submit("x", queue=name)
    page = api.get("/queues")
    QueuesOut.model_validate(page)
    assert [queue["name"] for queue in page["items"]] == ["ant", "default", "zebra"]


def test_a_queue_shows_its_head_of_the_line(api: Api) -> None:
    api.submit("x")
    queue = api.get("/queues/default")
    QueueOut.model_validate(queue)
    assert queue["size"] == 1
    assert queue["oldest_ready_age_seconds"] >= 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/queues/nowhere"),
        ("POST", "/queues/nowhere/pause"),
        ("POST", "/queues/nowhere/resume"),
        ("DELETE", "/queue/clear?queue=nowhere"),
    ],
)
def test_an_unknown_queue_is_not_found_and_not_made(api: Api, method: str, path: str) -> None:
    assert api.problem(api.client.request(method, path), 404, "queue-not-found")["queue"] == "nowhere"
    assert [queue["name"] for queue in api.get("/queues")["items"]] == ["default"]


def test_a_paused_queue_gives_nothing_until_it_is_resumed(api: Api) -> None:
    assert api.post("/queues/default/pause")["paused"] is True
    api.submit("x")
    assert api.queue.get(block=False) is None
    assert api.post("/queues/default/resume")["paused"] is False
    assert take(api.queue).payload == "x"


def test_settings_are_changed_one_by_one_and_taken_away(api: Api) -> None:
    changed = api.ok(api.client.patch("/queues/default", json={"max_size": 1, "rate_limit": 5.5}))
    assert (changed["settings"]["max_size"], changed["settings"]["rate_limit"]) == (1, 5.5)
    api.submit("x")
    api.problem(api.client.post("/tasks", json={"payload": 1}), 429, "queue-full")
    changed = api.ok(api.client.patch("/queues/default", json={"max_size": None}))
    assert (changed["settings"]["max_size"], changed["settings"]["rate_limit"]) == (None, 5.5)
    api.submit("y")


def test_settings_can_be_made_before_the_first_task(api: Api) -> None:
    assert api.ok(api.client.patch("/queues/new", json={"concurrency": 2}))["settings"]["concurrency"] == 2
    assert api.get("/queues/new")["size"] == 0


def test_no_change_changes_nothing(api: Api) -> None:
    before = api.get("/queues/default")
    assert api.ok(api.client.patch("/queues/default", json={})) == before


def test_clearing_forgets_the_tasks_of_one_queue_or_of_all(api: Api) -> None:
    dead_letters(api, 1)
    for name in ("a", "a", "b"):
        api.submit("x", queue=name)
    assert api.ok(api.client.delete("/queue/clear", params={"queue": "a"})) == {"cleared": 2}
    assert api.get("/stats")["queue_size"] == 1
    assert api.ok(api.client.delete("/queue/clear")) == {"cleared": 2}
    assert api.get("/stats")["dead_letter_count"] == 0
