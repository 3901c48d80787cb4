"""What DistributedQ is allowed to do where the documentation is followed: all that it needs, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import redis

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.meta.repository import DOCS
from distributed_queue.tests.surfaces.api_server import API, Api, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed_queue.testing.servers import RedisServer

PASSWORD = "a-password"


@pytest.fixture
def user(redis_server: RedisServer) -> Iterator[str]:
    """The URL of a Redis with the user that the guide says to make."""
    redis_server.flush()
    guide = (DOCS / "guides" / "security.md").read_text()
    found = re.search(r"ACL SETUSER (\w+) ((?:.|\n)*?)\n *```", guide)
    assert found is not None
    name, rules = found[1], found[2].replace("PASSWORD", PASSWORD).split()
    with redis.Redis(port=redis_server.port) as admin:
        admin.execute_command("ACL", "SETUSER", name, "reset", *rules)
        yield f"redis://{name}:{PASSWORD}@127.0.0.1:{redis_server.port}/0"
        admin.execute_command("ACL", "DELUSER", name)


def test_a_redis_user_with_the_rights_of_the_guide_can_do_everything_and_lacks_none(
    user: str, redis_server: RedisServer
) -> None:
    with redis.Redis(port=redis_server.port) as admin:
        admin.execute_command("ACL", "LOG", "RESET")
        admin.config_resetstat()
        with HybridQueue.from_url(user) as queue, serve_with_workers(queue) as api:
            use(api)
        assert admin.execute_command("ACL", "LOG") == []
        called = admin.info("commandstats")
        assert called["cmdstat_fcall"]["calls"] > 0
        assert "cmdstat_evalsha" not in called


def use(api: Api) -> None:
    """Do everything that REST offers."""
    assert api.run({"type": "simple", "data": "x"})["status"] == "completed"
    later = api.submit({"type": "simple"}, delay=3600)["task_id"]
    api.post("/tasks/batch", {"tasks": [{"payload": 1, "task_id": "a"}, {"payload": 2}]}, **{"Idempotency-Key": "k"})
    api.post(f"/tasks/{later}/cancel")
    api.post(f"/tasks/{later}/retry")
    for method, path, body in (
        ("PATCH", "/queues/default", {"max_size": 1000, "rate_limit": 500, "concurrency": 50}),
        ("POST", "/queues/default/pause", None),
        ("POST", "/queues/default/resume", None),
        ("POST", "/workers/w1/scale", {"max_workers": 2}),
        ("POST", "/workers/stop", None),
        ("POST", "/workers/start", None),
    ):
        assert api.client.request(method, path, json=body).is_success, path
    for _ in range(2):
        assert api.run({"type": "boom"}, max_retries=0)["status"] == "dead"
    api.post("/dead-letters/requeue", {"all": True})
    api.client.delete("/dead-letters?all=true")
    for path in ("/tasks", "/stats", "/queues", "/workers", "/ready", "/metrics", "/metrics/json", "/dead-letters"):
        assert api.client.get(path).is_success, path
    with api.client.stream("GET", f"{api.url}{API}/events", headers={"Last-Event-ID": "default:0"}) as stream:
        assert "task.completed" in next(text for text in stream.iter_text() if "task." in text)
    assert api.client.delete("/queue/clear").is_success


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "KEYS *", "CONFIG SET appendonly no", "GET other", "SET other 1", "SHUTDOWN", "ACL LIST", "MONITOR"],
)
def test_that_user_can_do_no_more(user: str, command: str) -> None:
    with redis.Redis.from_url(user) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_a_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    with HybridQueue.from_url(f"sqlite:///{tmp_path}/queue.db"):
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}
