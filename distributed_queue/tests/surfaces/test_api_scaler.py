"""What scalers ask: how many tasks need a worker now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.meta.repository import ROOT
from distributed_queue.tests.steps import eventually, put, take
from distributed_queue.tests.surfaces.api_server import serve

if TYPE_CHECKING:
    from distributed_queue.tests.surfaces.api_server import Api

NOTHING = {"tasks": 0, "ready": 0, "running": 0, "oldest_ready_age_seconds": 0.0}


def needed(api: Api, *queues: str) -> tuple[int, int, int]:
    found = api.get("/scaler", queue=queues)
    return found["tasks"], found["ready"], found["running"]


def test_nothing_and_what_is_not_known_are_numbers_too() -> None:
    with serve() as api:
        assert api.get("/scaler") == NOTHING
        assert api.get("/scaler", queue="nothing") == NOTHING
        assert [queue["name"] for queue in api.get("/queues")["items"]] == ["default"]


def test_what_is_ready_and_what_runs_needs_workers() -> None:
    with serve() as api:
        for _ in range(3):
            put(api.queue, {"type": "x"})
        put(api.queue, {"type": "x"}, queue="mail")
        put(api.queue, {"type": "x"}, queue="mail", delay=1000)
        take(api.queue)
        assert needed(api) == (4, 3, 1)
        assert needed(api, "mail") == (1, 1, 0)
        assert needed(api, "mail", "default", "nothing") == (4, 3, 1)


def test_queues_that_workers_of_all_queues_leave_alone_count_where_they_are_named_only() -> None:
    with serve() as api:
        put(api.queue, {"type": "x"})
        put(api.queue, {"type": "webhook"}, queue="dq.webhooks")
        assert needed(api) == (1, 1, 0)
        assert needed(api, "dq.webhooks") == (1, 1, 0)
        assert needed(api, "dq.webhooks", "default") == (2, 2, 0)


def test_a_paused_queue_needs_workers_for_what_runs_only() -> None:
    with serve() as api:
        for _ in range(3):
            put(api.queue, {"type": "x"})
        take(api.queue)
        api.queue.pause("default")
        assert needed(api) == (1, 0, 1)


def test_what_became_due_while_there_was_no_worker_needs_one(storage_url: str) -> None:
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        put(queue, {"type": "x"}, delay=0.05)
        eventually(lambda: needed(api) == (1, 1, 0))


def test_the_example_for_keda_asks_for_a_number_that_there_is() -> None:
    scaled = next(yaml.safe_load_all((ROOT / "deploy/keda/scaledobject.yaml").read_text()))
    (trigger,) = scaled["spec"]["triggers"]
    with serve() as api:
        put(api.queue, {"type": "x"})
        path = trigger["metadata"]["url"].partition("8000")[2]
        assert api.client.get(api.url + path).json()[trigger["metadata"]["valueLocation"]] == 1


def test_a_name_that_no_queue_can_have_is_refused() -> None:
    with serve() as api:
        api.problem(api.client.get("/scaler", params={"queue": "a/b"}), 422, "invalid-request")
