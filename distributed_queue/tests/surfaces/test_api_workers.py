"""Workers over REST: those of this server are steered at once, those of other processes are told."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api.models.workers import WorkerOut, WorkersOut
from distributed_queue.core.worker import Worker, WorkerConfig, WorkerPool
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.api_server import Api, serve, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    with serve_with_workers() as served:
        yield served


@contextmanager
def foreign(api: Api, name: str = "far") -> Iterator[Worker]:
    """A worker on the same storage that is none of the server's: to it, one of another process."""
    worker = Worker(api.queue, WorkerConfig(name=name, max_workers=2))
    worker.register_handler("far", lambda data: data)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def by_name(api: Api) -> dict[str, Any]:
    page = api.get("/workers")
    WorkersOut.model_validate(page)
    return {worker["name"]: worker for worker in page["items"]}


def test_own_workers_and_others_are_listed(api: Api) -> None:
    with foreign(api):
        workers = by_name(api)
    assert workers["w1"]["origin"] == "local"
    assert workers["w1"]["handlers"] == ["boom", "simple"]
    assert workers["w1"]["max_workers"] == 4
    assert workers["w1"]["state"] == "running"
    assert workers["w1"]["beat_age_seconds"] >= 0
    assert workers["far"]["origin"] == "remote"
    assert workers["far"]["max_workers"] == 2
    assert workers["far"]["host"]
    assert workers["far"]["pid"] > 0


def test_the_workers_of_a_name(api: Api) -> None:
    assert [worker["name"] for worker in api.get("/workers/w1")["items"]] == ["w1"]
    api.problem(api.client.get("/workers/nobody"), 404, "worker-not-found")


def test_a_worker_is_created_and_works(api: Api) -> None:
    response = api.client.post("/workers", json={"name": "w3", "max_workers": 5, "poll_interval": 0.1})
    worker = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == "/api/v1/workers/w3"
    WorkerOut.model_validate(worker)
    assert (worker["name"], worker["max_workers"], worker["state"]) == ("w3", 5, "running")
    api.client.delete("/workers/w1")
    assert api.run({"type": "simple", "data": 1})["result"] == "Completed: 1"


def test_a_name_is_taken_once(api: Api) -> None:
    api.problem(api.client.post("/workers", json={"name": "w1"}), 409, "worker-exists")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a b"},
        {"name": "w", "max_workers": 0},
        {"name": "w", "max_workers": "2"},
        {"name": "w", "poll_interval": 0},
        {"name": "w", "queues": []},
        {"name": "w", "queues": ["a b"]},
        {"name": "w", "color": "red"},
    ],
)
def test_a_worker_that_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    api.problem(api.client.post("/workers", json=body), 422, "invalid-request")
    assert list(by_name(api)) == ["w1"]


def test_a_worker_that_would_wait_for_ages_is_refused(api: Api) -> None:
    api.problem(api.client.post("/workers", json={"name": "w", "poll_interval": 1e9}), 422, "invalid-request")


def test_a_worker_of_some_queues_leaves_the_others_alone(api: Api) -> None:
    api.post("/workers", {"name": "only-b", "queues": ["b"]})
    api.client.delete("/workers/w1")
    waiting = api.submit({"type": "simple"}, queue="a")
    assert api.run({"type": "simple"}, queue="b")["status"] == "completed"
    assert api.get(f"/tasks/{waiting['task_id']}")["status"] == "pending"
    assert by_name(api)["only-b"]["queues"] == ["b"]


def test_all_are_stopped_and_started(api: Api) -> None:
    assert api.post("/workers/stop") == {"running": False, "workers": 1, "told": 0}
    eventually(lambda: by_name(api)["w1"]["state"] == "stopped")
    assert api.get("/workers")["running"] is False
    task = api.submit({"type": "simple", "data": 1})
    assert api.post("/workers/start") == {"running": True, "workers": 1, "told": 0}
    assert api.get(f"/tasks/{task['task_id']}", wait=LIMIT)["status"] == "completed"


def test_stopping_lets_what_runs_finish() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Any) -> str:
        entered.set()
        leave.wait(LIMIT)
        return "finished"

    with serve_with_workers(handlers={"slow": slow}) as api:
        task = api.submit({"type": "slow"})
        assert entered.wait(LIMIT)
        api.post("/workers/stop")
        assert by_name(api)["w1"]["state"] == "draining"
        leave.set()
        assert api.get(f"/tasks/{task['task_id']}", wait=LIMIT)["result"] == "finished"


def test_stopping_everywhere_reaches_other_processes(api: Api) -> None:
    with foreign(api) as far:
        assert api.post("/workers/stop?everywhere=true")["told"] == 1
        assert far.join(LIMIT)


def test_removing_forgets_a_worker(api: Api) -> None:
    removed = api.ok(api.client.delete("/workers/w1"))
    assert removed == {"name": "w1", "action": "stop", "origin": "local", "count": 1, "state": "stopped"}
    assert by_name(api) == {}
    api.problem(api.client.delete("/workers/w1"), 404, "worker-not-found")


def test_removing_does_not_wait_longer_than_asked() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        entered.set()
        leave.wait(LIMIT)

    with serve_with_workers(handlers={"slow": slow}) as api:
        api.submit({"type": "slow"})
        assert entered.wait(LIMIT)
        assert api.ok(api.client.delete("/workers/w1", params={"wait": 0}))["state"] == "draining"
        leave.set()


def test_a_paused_worker_takes_nothing_until_it_is_resumed(api: Api) -> None:
    assert api.post("/workers/w1/pause")["origin"] == "local"
    assert by_name(api)["w1"]["paused"] is True
    task = api.submit({"type": "simple"})
    assert api.get(f"/tasks/{task['task_id']}", wait=0.2)["status"] == "pending"
    api.post("/workers/w1/resume")
    assert api.get(f"/tasks/{task['task_id']}", wait=LIMIT)["status"] == "completed"
    assert by_name(api)["w1"]["paused"] is False


def test_a_worker_is_scaled(api: Api) -> None:
    assert api.post("/workers/w1/scale", {"max_workers": 9})["action"] == "scale"
    assert by_name(api)["w1"]["max_workers"] == 9


def test_a_worker_tells_where_its_handlers_are() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        entered.set()
        leave.wait(LIMIT)

    with serve_with_workers(handlers={"slow": slow}) as api:
        task = api.submit({"type": "slow"})
        assert entered.wait(LIMIT)
        assert by_name(api)["w1"]["stacks"] == []
        told = api.post("/workers/w1/inspect")
        assert (told["action"], told["origin"]) == ("inspect", "local")
        eventually(lambda: by_name(api)["w1"]["stacks"])
        worker = by_name(api)["w1"]
        leave.set()
    (stack,) = worker["stacks"]
    assert stack["task_id"] == task["task_id"]
    assert stack["frames"][0].endswith("slow")
    assert worker["memory_bytes"] > 1 << 20
    assert worker["inspections"] == 1


@pytest.mark.slow
def test_workers_of_other_processes_obey_with_their_next_beat(api: Api) -> None:
    with foreign(api) as far:
        told = api.client.post("/workers/far/scale", json={"max_workers": 7})
        assert told.status_code == 202
        assert told.json() == {"name": "far", "action": "scale", "origin": "remote", "count": 1, "state": None}
        assert api.post("/workers/far/pause")["origin"] == "remote"
        eventually(lambda: by_name(api)["far"]["max_workers"] == 7 and by_name(api)["far"]["paused"])
        assert api.post("/workers/far/resume")["origin"] == "remote"
        eventually(lambda: not by_name(api)["far"]["paused"])
        assert api.client.delete("/workers/far").status_code == 202
        assert far.join(LIMIT)
        eventually(lambda: "far" not in by_name(api))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/workers/nobody/pause"),
        ("POST", "/workers/nobody/resume"),
        ("POST", "/workers/nobody/inspect"),
        ("POST", "/workers/nobody/scale"),
        ("DELETE", "/workers/nobody"),
    ],
)
def test_an_unknown_worker_is_not_found(api: Api, method: str, path: str) -> None:
    body = {"max_workers": 1} if path.endswith("scale") else None
    api.problem(api.client.request(method, path, json=body), 404, "worker-not-found")


def test_a_server_without_workers_says_so() -> None:
    with serve() as api:
        assert api.get("/workers") == {"items": [], "pool": False, "running": False}
        api.problem(api.client.post("/workers", json={"name": "w"}), 409, "no-worker-pool")
        for verb in ("start", "stop"):
            api.problem(api.client.post(f"/workers/{verb}"), 409, "no-worker-pool")


def test_a_server_without_workers_steers_those_of_other_processes() -> None:
    with serve() as api, foreign(api) as far:
        for verb in ("pause", "inspect"):
            assert api.client.post(f"/workers/far/{verb}").status_code == 202
        assert api.post("/workers/stop?everywhere=true") == {"running": False, "workers": 0, "told": 1}
        assert far.join(LIMIT)


def test_a_worker_of_a_stopped_pool_starts_with_it() -> None:
    with serve_with_workers() as api:
        api.post("/workers/stop")
        assert api.post("/workers", {"name": "w2"})["state"] == "stopped"
        api.post("/workers/start")
        assert by_name(api)["w2"]["state"] == "running"
        assert isinstance(api.pool, WorkerPool)
