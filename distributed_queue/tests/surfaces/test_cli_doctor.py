"""``dq doctor``: what it finds, and what it advises."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.task import Task
from distributed_queue.storage.redis import durability
from distributed_queue.tests.surfaces.api_server import serve
from distributed_queue.tests.surfaces.programs import call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from distributed_queue.testing.servers import RedisServer
    from distributed_queue.tests.surfaces.programs import Answer, Dq

SECRET = "open-sesame"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a ``.env``, any free port, and none of the machine's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DQ_PORT", "0")
    for name in ("API_KEY", "DQ_API_KEY", "REDIS_URL", "DQ_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return lambda *arguments: call(capsys, "doctor", *arguments)


def found(answer: Answer, name: str) -> list[dict[str, Any]]:
    """The checks of that name, of an answer in JSON."""
    return [check for check in answer.json["checks"] if check["name"] == name]


def setting(answer: Answer, name: str) -> dict[str, Any]:
    (row,) = (row for row in answer.json["settings"] if row["name"] == name)
    return dict(row)


def test_where_all_is_well_every_line_says_ok(dq: Dq) -> None:
    answer = dq("doctor")
    assert answer.code == 0
    lines = answer.out.partition("\n\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    for word in ("sqlite", "durable:", "agree", "0 workers alive", "any free port", "only this machine"):
        assert any(word in line for line in lines), word


def test_each_setting_is_shown_with_its_origin(doctor: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DQ_WORKERS=3\nDQ_PORT=1\n")
    answer = doctor("--json", "--storage-url", "memory://")
    assert setting(answer, "port") == {"name": "port", "value": 0, "source": "DQ_PORT"}
    assert setting(answer, "workers") == {"name": "workers", "value": 3, "source": "DQ_WORKERS in .env"}
    assert setting(answer, "storage_url")["source"] == "flag"
    assert setting(answer, "log_level") == {"name": "log_level", "value": "info", "source": "default"}


def test_no_secret_is_shown(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", SECRET)
    monkeypatch.setenv("REDIS_URL", f"redis://user:{SECRET}@127.0.0.1:1/0")
    for arguments in ((), ("--json",)):
        answer = doctor(*arguments)
        assert SECRET not in answer.out + answer.err
        assert "***" in answer.out
        assert "REDIS_URL" in answer.out


def test_a_storage_that_loses_tasks_is_a_warning_with_the_cure(
    doctor: Callable[..., Answer], redis_url: str, redis_server: RedisServer
) -> None:
    answer = doctor("--json", "--storage-url", redis_url)
    assert answer.code == 0
    (check,) = found(answer, "durability")
    assert check["level"] == "warn"
    assert check["text"].startswith("none: ")
    assert "CONFIG SET appendonly yes" in check["advice"]
    assert any("maxmemory is not set" in check["text"] for check in found(answer, "storage"))


def test_a_demand_that_is_not_met_fails_and_the_rest_is_checked_all_the_same(
    doctor: Callable[..., Answer], redis_url: str
) -> None:
    answer = doctor("--json", "--storage-url", redis_url, "--durability", "replicated")
    assert answer.code == 1
    assert answer.json["ok"] is False
    (check,) = found(answer, "durability")
    assert check["level"] == "fail"
    assert "Connect replicas" in check["text"]
    assert found(answer, "clock")[0]["level"] == "ok"


def test_a_storage_that_cannot_be_reached_fails_with_a_hint(doctor: Callable[..., Answer]) -> None:
    answer = doctor("--storage-url", "redis://127.0.0.1:1/0")
    assert answer.code == 1
    assert "fail  storage     Cannot reach the storage at redis://127.0.0.1:1/0" in answer.out
    assert "→ Is it running" in answer.out
    assert "ok    port" in answer.out


def test_a_redis_that_evicts_is_refused_by_name(
    doctor: Callable[..., Answer], redis_url: str, redis_server: RedisServer
) -> None:
    with redis.Redis(port=redis_server.port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            answer = doctor("--json", "--storage-url", redis_url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    (check,) = found(answer, "storage")
    assert check["level"] == "fail"
    assert "CONFIG SET maxmemory-policy noeviction" in check["text"]


def test_clocks_that_disagree_are_told(
    doctor: Callable[..., Answer], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(SystemClock):
        def now(self) -> float:
            return super().now() - 100

    monkeypatch.setattr(durability, "SystemClock", Slow)
    (check,) = found(doctor("--json", "--storage-url", redis_url), "clock")
    assert check["level"] == "warn"
    assert "1m 40s ahead of this machine's" in check["text"]
    assert "NTP" in check["advice"]


def test_tasks_that_nobody_works_are_a_warning(doctor: Callable[..., Answer], sqlite_url: str) -> None:
    with HybridQueue.from_url(sqlite_url) as queue:
        queue.put(Task(1, {}))
        (check,) = found(doctor("--json", "--storage-url", sqlite_url), "workers")
        assert (check["level"], check["text"]) == ("warn", "0 workers alive, 1 task ready to run")
        queue.pause()
        assert found(doctor("--json", "--storage-url", sqlite_url), "workers")[0]["level"] == "ok"


def test_looking_changes_nothing(doctor: Callable[..., Answer], redis_url: str, redis_server: RedisServer) -> None:
    doctor("--storage-url", redis_url)
    with redis.Redis(port=redis_server.port) as client:
        assert client.dbsize() == 0


def test_a_port_that_another_program_has_fails(doctor: Callable[..., Answer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        answer = doctor("--json", "--storage-url", "memory://", "--port", str(listener.getsockname()[1]))
    (check,) = found(answer, "port")
    assert check["level"] == "fail"
    assert "in use" in check["text"]
    assert "--port 0" in check["advice"]


def test_a_port_that_a_server_of_ours_has_is_well(doctor: Callable[..., Answer]) -> None:
    with serve() as api:
        (check,) = found(doctor("--json", "--storage-url", "memory://", "--port", str(api.port)), "port")
    assert check["level"] == "ok"
    assert "answers on 127.0.0.1" in check["text"]


def test_a_server_that_others_reach_needs_a_key(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--json", "--storage-url", "memory://", "--host", "0.0.0.0")
    answer = doctor(*arguments)
    assert answer.code == 1
    assert found(answer, "API key")[0]["level"] == "fail"
    monkeypatch.setenv("API_KEY", SECRET)
    assert doctor(*arguments).code == 0


def test_a_mistyped_variable_is_a_warning(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_STORAGEURL", "memory://")
    (check,) = found(doctor("--json", "--storage-url", "memory://"), "settings")
    assert check["level"] == "warn"
    assert "did you mean DQ_STORAGE_URL?" in check["text"]


def test_a_value_that_cannot_be_used_fails(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_WORKERS", "many")
    answer = doctor()
    assert answer.code == 1
    assert answer.out.startswith("fail  settings    DQ_WORKERS is 'many'")
