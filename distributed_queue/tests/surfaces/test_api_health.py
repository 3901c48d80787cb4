"""Probes: alive, and able to serve."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.api.models.health import HealthOut, ReadyOut
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.worker import WorkerPool
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.api_server import make_pool, serve, serve_with_workers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_process_that_answers_is_healthy() -> None:
    with serve() as api:
        health = api.get("/health")
        HealthOut.model_validate(health)
        assert health["status"] == "healthy"
        assert health["version"]
        assert health["uptime_seconds"] >= 0


def test_ready_tells_what_an_acknowledged_task_survives() -> None:
    with serve_with_workers() as api:
        ready = api.get("/ready")
        ReadyOut.model_validate(ready)
        assert ready["storage"]["engine"] == "memory"
        assert ready["storage"]["profile"] == "none"
        assert "lost" in ready["storage"]["durability"]
        assert ready["workers"] == {"total": 1, "claiming": 1}


def test_a_storage_that_became_weaker_than_demanded_makes_a_server_unready(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path, appendonly="yes") as server,
        HybridQueue.from_url(server.url, durability="standard") as queue,
        serve(queue) as api,
    ):
        assert api.get("/ready")["storage"]["profile"] == "standard"
        with redis.Redis(port=server.port) as client:
            client.config_set("appendonly", "no")
        problem = api.problem(api.client.get("/ready"), 503, "not-ready")
        assert problem["reasons"] == ["The storage gives durability none, and more is demanded."]


@pytest.mark.parametrize("name", ["health", "ready", "metrics"])
def test_probes_and_scrapers_find_them_at_the_root_too(name: str) -> None:
    with serve() as api:
        assert api.client.get(f"{api.url}/{name}").status_code == 200


def test_workers_that_were_told_to_stop_do_not_make_a_server_unready() -> None:
    with serve_with_workers() as api:
        api.post("/workers/stop")
        assert api.get("/ready")["workers"]["total"] == 0


def test_a_worker_that_claims_nothing_makes_a_server_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_with_workers() as api:
        assert api.pool is not None
        monkeypatch.setattr(api.pool.workers["w1"], "is_claiming", lambda: False)
        response = api.client.get("/ready")
        problem = api.problem(response, 503, "not-ready")
        assert problem["reasons"] == ["Worker 'w1' takes no tasks."]
        assert response.headers["retry-after"]
        assert api.client.get("/health").status_code == 200


def test_a_server_with_an_empty_pool_is_ready() -> None:
    with HybridQueue() as queue, serve(queue, pool=WorkerPool(queue)) as api:
        assert api.get("/ready")["workers"]["total"] == 0


def test_a_storage_that_does_not_answer_makes_a_server_unready() -> None:
    release = threading.Event()

    class Hanging:
        def __init__(self, storage: Any) -> None:
            self._storage = storage

        def health(self) -> Any:
            release.wait(LIMIT)
            return self._storage.health()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._storage, name)

    with HybridQueue() as queue, serve(queue, pool=make_pool(queue), ready_seconds=0.2) as api:
        whole: Any = queue.storage
        queue.storage = Hanging(whole)  # type: ignore[assignment]  # does what the test needs
        problem = api.problem(api.client.get("/ready"), 503, "not-ready")
        assert "did not answer within 0.2 s" in problem["detail"]
        queue.storage = whole
        release.set()
        assert api.get("/ready")["status"] == "ready"
