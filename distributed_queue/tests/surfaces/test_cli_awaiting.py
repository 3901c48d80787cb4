"""Programs that start before their storage does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.late import LateStorage
from distributed_queue.errors import QueueClosed, StorageUnavailable
from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.steps import eventually, put
from distributed_queue.tests.surfaces.programs import LIMIT, Program, run
from distributed_queue.tests.surfaces.test_cli_serve import ask

if TYPE_CHECKING:
    from pathlib import Path

WAITS = "waiting for the storage"


@pytest.fixture
def server(tmp_path: Path) -> RedisServer:
    """A Redis that has yet to be started."""
    folder = tmp_path / "redis"
    folder.mkdir()
    return RedisServer(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a module ``mine``."""
    (tmp_path / "mine.py").write_text("handlers = {'double': lambda data: data * 2}\n")
    return tmp_path


def base_of(program: Program) -> str:
    line = program.says("while the storage is down")
    return line[line.index("http://") :].split("/ ")[0]


def task_through(base: str) -> Any:
    status, answer = ask(f"{base}/api/v1/tasks", {"priority": 1, "payload": {"type": "simple", "data": "late"}})
    assert status == 201
    task_id = json.loads(answer)["task_id"]
    return json.loads(ask(f"{base}/api/v1/tasks/{task_id}?wait=20")[1])


def test_a_server_starts_without_its_storage_and_works_once_it_is_there(server: RedisServer, home: Path) -> None:
    with Program(home, "serve", "--port", "0", "--storage-url", server.url) as program:
        base = base_of(program)
        assert server.url.rpartition("/")[0] in program.says(WAITS)
        assert ask(f"{base}/health")[0] == 200
        assert ask(f"{base}/ready")[0] == 503
        status, answer = ask(f"{base}/api/v1/tasks", {"priority": 1, "payload": 1})
        assert (status, json.loads(answer)["code"]) == (503, "storage-unavailable")
        assert b"storage" in ask(f"{base}/")[1]
        assert b"distributedq_storage_up" in ask(f"{base}/api/v1/metrics")[1]
        with server:
            program.says("the storage is there")
            program.says("is ready.")
            eventually(lambda: ask(f"{base}/ready")[0] == 200)
            assert task_through(base)["result"] == "Completed: late"
            eventually(lambda: ask(f"{base}/")[0] == 200)
            assert program.stop() == 0


def test_limits_of_the_settings_hold_once_the_storage_is_there(server: RedisServer, home: Path) -> None:
    arguments = ("serve", "--port", "0", "--workers", "0", "--storage-url", server.url)
    with Program(home, *arguments, DQ_MAX_SIZE="3") as program:
        program.says(WAITS)
        with server:
            program.says("the storage is there")
            with HybridQueue.from_url(server.url) as queue:
                assert queue.get_stats()["max_size"] == 3
            assert program.stop() == 0


def test_a_server_that_waits_stops_at_a_signal(server: RedisServer, home: Path) -> None:
    with Program(home, "serve", "--port", "0", "--storage-url", server.url) as program:
        base_of(program)
        assert program.stop() == 0


def test_a_storage_that_turns_out_unfit_ends_the_server_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    options: dict[str, Any] = {"maxmemory-policy": "allkeys-lru", "maxmemory": "100mb"}
    server = RedisServer(folder, **options)
    with Program(tmp_path, "serve", "--port", "0", "--storage-url", server.url) as program:
        base_of(program)
        with server:
            program.says("maxmemory-policy")
            assert program.ends() == ExitCode.FAILURE


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker", "mine"]])
@pytest.mark.parametrize(
    ("url", "code"),
    [("mysql://127.0.0.1/0", ExitCode.USAGE), ("sqlite:////nowhere/at/all/queue.db", ExitCode.UNREACHABLE)],
)
def test_what_time_does_not_mend_is_not_waited_for(home: Path, command: list[str], url: str, code: ExitCode) -> None:
    answer = run(home, *command, "--storage-url", url)
    assert answer.code == code
    assert WAITS not in answer.err


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker", "mine"]])
def test_a_refused_password_is_not_waited_for(home: Path, command: list[str], redis_url: str) -> None:
    url = redis_url.replace("redis://", "redis://nobody:wrong@")
    answer = run(home, *command, "--storage-url", url)
    assert answer.code in (ExitCode.AUTH, ExitCode.FAILURE)
    assert WAITS not in answer.err
    assert "wrong" not in answer.err.replace("wrong password", "").replace("WRONGPASS", "")


@pytest.mark.parametrize("more", [[], ["--processes", "2"]])
def test_a_worker_waits_for_its_storage(server: RedisServer, home: Path, more: list[str]) -> None:
    with Program(home, "worker", "mine", "--storage-url", server.url, *more) as program:
        program.says(WAITS)
        with server:
            program.says("takes from all queues")
            with HybridQueue.from_url(server.url) as queue:
                task = put(queue, {"type": "double", "data": 2})
                assert queue.wait_result(task.task_id, LIMIT) == 4
            assert program.stop() == 0


def test_a_worker_that_waits_stops_at_a_signal(server: RedisServer, home: Path) -> None:
    with Program(home, "worker", "mine", "--storage-url", server.url) as program:
        program.says(WAITS)
        assert program.stop() == 0


def test_a_burst_does_not_wait(server: RedisServer, home: Path) -> None:
    answer = run(home, "worker", "mine", "--burst", "--storage-url", server.url)
    assert answer.code == ExitCode.UNREACHABLE


def test_what_is_attached_after_the_end_is_closed_too() -> None:
    late, storage = LateStorage("redis://host/0", "refused"), MemoryStorage()
    late.wake()
    late.close()
    with pytest.raises(QueueClosed):
        late.attach(storage)
    with pytest.raises(QueueClosed):
        storage.queues()
    with pytest.raises(QueueClosed):
        late.queues()


def test_what_was_looked_up_before_the_storage_was_there_works_afterwards() -> None:
    late = LateStorage("memory://", "not yet")
    queues = late.queues
    with pytest.raises(StorageUnavailable):
        queues()
    late.attach(MemoryStorage())
    assert queues() == ()
