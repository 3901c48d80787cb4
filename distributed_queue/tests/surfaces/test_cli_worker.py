"""``dq worker``: whose handlers it runs, when it ends, and what it says."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.loading import load_handlers, register_handlers
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.worker import WorkerConfig, WorkerPool
from distributed_queue.errors import ConfigurationError
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.steps import eventually, look, put
from distributed_queue.tests.surfaces.programs import HOLDING, LIMIT, Program, run, send_until_it_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULE = """
from distributed_queue import DistributedQ

def double(data):
    return data * 2

handlers = {"double": double}
others = {"triple": lambda data: data * 3}

app = DistributedQ("sqlite:///theirs.db")

@app.task
def quintuple(number: int) -> int:
    return number * 5

def by_hand(pool):
    pool.register_handler("quadruple", lambda data: data * 4, timeout=5)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "holding.py").write_text(HOLDING)
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "task_type", "result"),
    [("mine", "double", 14), ("mine:others", "triple", 21), ("mine:by_hand", "quadruple", 28)],
)
def test_handlers_come_from_a_dictionary_or_a_function(
    home: Path, sqlite_url: str, queue: HybridQueue, reference: str, task_type: str, result: int
) -> None:
    task = put(queue, {"type": task_type, "data": 7})
    answer = run(home, "worker", reference, "--burst", "--storage-url", sqlite_url)
    assert answer.code == 0, answer.err
    assert look(queue, task).result == result


def test_the_functions_of_an_application_run_over_the_storage_that_it_names(home: Path, sqlite_url: str) -> None:
    theirs = f"sqlite:///{home}/theirs.db"
    with HybridQueue.from_url(theirs) as queue, HybridQueue.from_url(sqlite_url) as other:
        named = put(queue, {"type": "quintuple", "data": {"number": 7}})
        flagged = put(other, {"type": "quintuple", "data": {"number": 8}})
        answer = run(home, "worker", "mine:app", "--burst", DQ_STORAGE_URL=sqlite_url)
        assert answer.code == 0, answer.err
        assert (look(queue, named).result, look(other, flagged).result) == (35, None)
        answer = run(home, "worker", "mine:app", "--burst", "--storage-url", sqlite_url)
        assert answer.code == 0, answer.err
        assert look(other, flagged).result == 40


def test_applications_that_name_different_storages_are_refused(home: Path) -> None:
    (home / "yours.py").write_text(
        "from distributed_queue import DistributedQ\napp = DistributedQ('sqlite:///yours.db')"
    )
    answer = run(home, "worker", "mine:app", "yours", "--burst")
    assert answer.code == ExitCode.USAGE
    assert "name different storages, sqlite:///theirs.db and sqlite:///yours.db" in answer.err


def test_a_burst_does_what_is_ready_and_leaves_what_is_not(home: Path, shared_url: str) -> None:
    with HybridQueue.from_url(shared_url) as queue:
        ready = [put(queue, {"type": "double", "data": number}) for number in range(300)]
        later = put(queue, {"type": "double", "data": 1}, delay=3600)
        answer = run(home, "worker", "mine", "--burst", "--threads", "3", DQ_STORAGE_URL=shared_url)
        assert answer.code == 0, answer.err
        assert [look(queue, task).result for task in ready] == [number * 2 for number in range(300)]
        assert str(look(queue, later).status) == "scheduled"


def test_it_takes_from_the_queues_that_it_was_given(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    mine, other = put(queue, {"type": "double", "data": 1}, queue="mine"), put(queue, {"type": "double"}, queue="other")
    answer = run(home, "worker", "mine", "--burst", "--queues", "mine,more", "--storage-url", sqlite_url)
    assert answer.code == 0, answer.err
    assert [str(look(queue, task).status) for task in (mine, other)] == ["completed", "pending"]


def test_it_says_what_it_does_and_is_listed(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    with Program(home, "worker", "mine", "--threads", "3", "--name", "w1", "--storage-url", sqlite_url) as program:
        program.says("worker w1 takes from all queues of sqlite")
        program.says("handlers: double")
        (info,) = queue.workers()
        assert (info.name, info.max_workers, info.pid) == ("w1", 3, program.process.pid)
        assert program.stop() == 0


def test_it_finishes_what_runs_before_it_stops(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    task = put(queue, {"type": "hold"})
    with Program(home, "worker", "holding", "--storage-url", sqlite_url) as program:
        eventually((home / "held").exists)
        program.send(signal.SIGTERM)
        program.says("waiting up to 30 s for 1 task")
        (home / "go").touch()
        assert program.ends() == 0
    assert look(queue, task).result == "held"


def test_it_gives_back_what_does_not_finish_in_time(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    task = put(queue, {"type": "hold"})
    with Program(home, "worker", "holding", "--shutdown-timeout", "0", "--storage-url", sqlite_url) as program:
        eventually((home / "held").exists)
        assert program.stop() == 0
    given_back = look(queue, task)
    assert (str(given_back.status), given_back.retry_count, given_back.crashes) == ("pending", 0, 0)


def test_a_second_ctrl_c_stops_it_at_once(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    task = put(queue, {"type": "hold"})
    with Program(home, "worker", "holding", "--storage-url", sqlite_url) as program:
        eventually((home / "held").exists)
        program.send(signal.SIGINT)
        program.says("a second signal stops at once")
        send_until_it_ends(program, signal.SIGINT)
        assert program.ends() == ExitCode.INTERRUPTED
    given_back = look(queue, task)
    assert (str(given_back.status), given_back.retry_count, given_back.crashes) == ("pending", 0, 0)


def test_it_ends_when_its_worker_is_told_to_stop(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    with Program(home, "worker", "mine", "--name", "w1", "--storage-url", sqlite_url) as program:
        program.says("takes from all queues")
        assert run(home, "workers", "stop", "w1", "--storage-url", sqlite_url).code == 0
        assert program.ends() == 0


def test_it_says_when_the_storage_is_away_and_when_it_is_back(home: Path, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", appendonly="yes")
    with server, Program(home, "worker", "mine", "--storage-url", server.url) as program:
        program.says("takes from all queues")
        server.stop()
        assert server.url.rpartition("/")[0] in program.says("Cannot reach the storage")
        server.start()
        program.says("is back")
        with HybridQueue.from_url(server.url) as queue:
            task = put(queue, {"type": "double", "data": 2})
            assert queue.wait_result(task.task_id, LIMIT) == 4
        assert program.stop() == 0


# Loading modules


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with HybridQueue() as queue:
        made = WorkerPool(queue)
        made.add_worker(WorkerConfig())
        yield made


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a module that can be imported, as if the program had been started beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write_module(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write_module


def known(pool: WorkerPool) -> dict[str, Callable[[Any], Any]]:
    return pool.workers["worker-1"].handlers


def test_several_modules_are_loaded_and_the_last_word_counts(
    pool: WorkerPool, write: Callable[[str, str], None]
) -> None:
    write("load_one", "handlers = {'a': str, 'b': str}")
    write("load_two", "def register(pool):\n    pool.register_handler('b', int)")
    register_handlers(load_handlers(["load_one", "load_two"]), pool)
    assert known(pool) == {"a": str, "b": int}


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        ("", "load_nowhere", "There is no module 'load_nowhere'"),
        ("import load_missing", "load_broken", "Module 'load_broken' needs 'load_missing', which is not installed"),
        ("1 / 0", "load_broken", "cannot be imported: ZeroDivisionError: division by zero"),
        ("x = 1", "load_broken", "no dictionary 'handlers', no function 'register\\(pool\\)' and no application 'app'"),
        ("x = 1", "load_broken:x", "no function named 'x'"),
        ("x = 1", "load_broken:y", "no function named 'y'"),
        ("handlers = {'a': 1}", "load_broken", "cannot be called"),
        ("", "load_broken.py", "name the module: load_broken"),
        ("", "./folder/load_broken.py", "name the module: folder.load_broken"),
    ],
)
def test_what_cannot_be_loaded_is_explained(
    pool: WorkerPool,
    write: Callable[[str, str], None],
    text: str,
    reference: str,
    message: str,
) -> None:
    write("load_broken", text)
    with pytest.raises(ConfigurationError, match=message):
        register_handlers(load_handlers([reference]), pool)


class TestProcesses:
    """``--processes``: several worker processes as one program."""

    def test_those_that_die_are_started_again_and_all_stop_together(self, home: Path, shared_url: str) -> None:
        with (
            HybridQueue.from_url(shared_url) as queue,
            Program(home, "worker", "mine", "--processes", "2", "--name", "w", "--storage-url", shared_url) as program,
        ):
            eventually(lambda: [info.name for info in queue.workers()] == ["w-1", "w-2"], LIMIT)
            first = queue.workers()[0]
            os.kill(first.pid, signal.SIGKILL)
            program.says(f"worker process {first.pid} ended with code -9; another one starts in 0.5 s")
            eventually(lambda: any(info.name == "w-1" and info.pid != first.pid for info in queue.workers()), LIMIT)
            tasks = [put(queue, {"type": "double", "data": number}) for number in range(50)]
            eventually(lambda: all(look(queue, task).result is not None for task in tasks), LIMIT)
            assert program.stop() == 0
            assert program.output.count("stopping: ") == 2
            eventually(lambda: all(info.id == first.id for info in queue.workers()), LIMIT)

    def test_one_with_too_many_stuck_handlers_is_replaced(
        self, home: Path, sqlite_url: str, queue: HybridQueue
    ) -> None:
        arguments = ("worker", "holding", "--processes", "2", "--threads", "1", "--storage-url", sqlite_url)
        with Program(home, *arguments, DQ_MAX_STUCK="1") as program:
            stuck = put(queue, {"type": "sleep"}, timeout=0.1, max_retries=0)
            program.says(f"ended with code {ExitCode.WORN_OUT:d}; another one starts")
            assert look(queue, stuck).status is TaskStatus.DEAD
            eventually(lambda: len(queue.workers()) == 2, LIMIT)
            assert program.stop() == 0

    def test_a_burst_ends_when_all_of_them_have_ended(self, home: Path, sqlite_url: str, queue: HybridQueue) -> None:
        tasks = [put(queue, {"type": "double", "data": number}) for number in range(50)]
        answer = run(home, "worker", "mine", "--burst", "--processes", "2", "--storage-url", sqlite_url)
        assert answer.code == 0, answer.err
        assert [look(queue, task).result for task in tasks] == [number * 2 for number in range(50)]

    def test_workers_whose_supervisor_was_killed_stop(self, home: Path, sqlite_url: str, queue: HybridQueue) -> None:
        with Program(home, "worker", "mine", "--processes", "2", "--storage-url", sqlite_url) as program:
            eventually(lambda: len(queue.workers()) == 2, LIMIT)
            program.process.kill()
            eventually(lambda: not queue.workers(), LIMIT)

    def test_a_wrong_setting_is_told_once(self, home: Path, sqlite_url: str) -> None:
        answer = run(home, "worker", "nowhere", "--processes", "2", "--storage-url", sqlite_url)
        assert answer.code == ExitCode.USAGE
        assert answer.err.count("There is no module 'nowhere'") == 1


def test_queues_may_have_weights(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    task = put(queue, {"type": "double", "data": 7}, queue="mail")
    answer = run(home, "worker", "mine", "--burst", "--queues", "mail:3,default", "--storage-url", sqlite_url)
    assert answer.code == 0, answer.err
    assert "takes from mail, default of sqlite" in answer.err + answer.out
    assert look(queue, task).result == 14


def test_a_weight_that_is_none_is_named(home: Path, sqlite_url: str) -> None:
    answer = run(home, "worker", "mine", "--burst", "--queues", "mail:many", "--storage-url", sqlite_url)
    assert answer.code == ExitCode.USAGE
    assert "the weight of queue 'mail'" in answer.err + answer.out
