"""Several processes on one SQLite file: nothing is lost, nothing is done twice, whoever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import ClaimRequest, NewTask, Outcome, Settlement
from distributed_queue.storage.sqlite import SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_SECONDS = 60

ENQUEUE = """
import sys
from distributed_queue.core.storage import NewTask
from distributed_queue.storage.sqlite import SQLiteStorage
storage = SQLiteStorage.from_url(sys.argv[1])
for number in range(int(sys.argv[3])):
    storage.enqueue([NewTask(f"{sys.argv[2]}-{number}", "q", "t", 1, b"x")])
    print(f"{sys.argv[2]}-{number}", flush=True)
storage.close()
"""

WORK = """
import sys
from distributed_queue.core.storage import ClaimRequest, Outcome, Settlement
from distributed_queue.storage.sqlite import SQLiteStorage
storage = SQLiteStorage.from_url(sys.argv[1])
done = []
while True:
    answer = storage.exchange(done, ClaimRequest(("q",), sys.argv[2], 7, 60.0))
    assert all(answer.settled)
    done = [Settlement("q", task.id, task.attempt, Outcome.COMPLETE) for task in answer.claim.tasks]
    for task in answer.claim.tasks:
        print(task.id)
    if not done and not storage.wait(("q",), 1.0):
        break
storage.close()
"""

FORK = """
import os, sys
from distributed_queue.core.storage import NewTask
from distributed_queue.storage.sqlite import SQLiteStorage
storage = SQLiteStorage.from_url(sys.argv[1])
storage.enqueue([NewTask("before", "q", "t", 1, b"x")])
storage.get(["before"])
child = os.fork()
mine = "child" if child == 0 else "parent"
for number in range(50):
    storage.enqueue([NewTask(f"{mine}-{number}", "q", "t", 1, b"x")])
    assert storage.get([f"{mine}-{number}"], "q")[0] is not None
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
storage.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""

FORK_AMID_THREADS = """
import os, sys, threading
from distributed_queue.core.storage import NewTask
from distributed_queue.storage.sqlite import SQLiteStorage
storage = SQLiteStorage.from_url(sys.argv[1])
stop = threading.Event()
written = []
def write(name):
    number = 0
    while not stop.is_set():
        storage.enqueue([NewTask(f"{name}-{number}", "q", "t", 1, b"x")])
        storage.get([f"{name}-{number}"], "q")
        written.append(f"{name}-{number}")
        number += 1
def listen():
    while not stop.is_set():
        storage.wait(("idle",), 0.05)
threads = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(3)] + [threading.Thread(target=listen)]
for thread in threads:
    thread.start()
children = []
for child in range(5):
    pid = os.fork()
    if pid == 0:
        for number in range(20):
            storage.enqueue([NewTask(f"c{child}-{number}", "q", "t", 1, b"x")])
            assert storage.get([f"c{child}-{number}"], "q")[0]
        assert storage.wait(("q",), 1.0) == ("q",)
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
stop.set()
for thread in threads:
    thread.join()
wanted = written + [f"c{c}-{n}" for c in range(5) for n in range(20)]
assert all(storage.get(wanted, "q"))
assert storage.stats(["q"])[0].depth == len(wanted)
storage.close()
sys.exit(max(codes))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def storage(url: str) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage.from_url(url)
    yield storage
    storage.close()


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", script, *(str(each) for each in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 0
    return output.split()


def count(storage: SQLiteStorage, status: TaskStatus) -> int:
    return storage.stats(["q"])[0].counts[status]


def test_tasks_of_several_processes_are_each_claimed_once(storage: SQLiteStorage, url: str) -> None:
    producers = [start(ENQUEUE, url, name, 100) for name in ("a", "b")]
    workers = [start(WORK, url, name) for name in ("w1", "w2")]
    enqueued = [task_id for process in producers for task_id in lines_of(process)]
    claimed = [task_id for process in workers for task_id in lines_of(process)]
    assert len(enqueued) == 200
    assert sorted(claimed) == sorted(enqueued)
    assert count(storage, TaskStatus.COMPLETED) == 200


def test_a_killed_writer_loses_no_acknowledged_task(storage: SQLiteStorage, url: str) -> None:
    process = start(ENQUEUE, url, "k", 1_000_000)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=LIMIT_SECONDS)
    acknowledged += [line for line in rest.splitlines(keepends=False) if line.startswith("k-")][:-1]
    assert all(storage.get(acknowledged, "q"))
    assert storage.enqueue([NewTask("after", "q", "t", 1, b"x")]) == [True]


def test_a_task_of_a_killed_worker_comes_back_when_its_lease_ends(storage: SQLiteStorage, url: str) -> None:
    storage.enqueue([NewTask("one", "q", "t", 1, b"x")])
    script = WORK.replace("60.0", "0.3").replace("print(task.id)", "print(task.id, flush=True); sys.stdin.read()")
    command = [sys.executable, "-c", script, url, "w"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "one"
        process.kill()
    assert storage.wait(("q",), 10.0) == ("q",)
    (again,) = storage.claim(ClaimRequest(("q",), "other", 1, 30.0)).tasks
    assert (again.id, again.attempt, again.crashes) == ("one", 2, 1)
    assert storage.settle([Settlement("q", "one", 1, Outcome.COMPLETE)]) == [False]


def test_a_waiter_notices_what_another_process_enqueues(storage: SQLiteStorage, url: str) -> None:
    process = start(ENQUEUE, url, "n", 1)
    assert storage.wait(("q",), LIMIT_SECONDS) == ("q",) or storage.get(["n-0"], "q") != [None]
    lines_of(process)


def test_a_forked_child_and_its_parent_both_go_on(storage: SQLiteStorage, url: str) -> None:
    assert lines_of(start(FORK, url)) == []
    assert count(storage, TaskStatus.PENDING) == 101


def test_forks_amid_threads_that_read_write_and_wait_harm_nobody(url: str) -> None:
    assert lines_of(start(FORK_AMID_THREADS, url)) == []
