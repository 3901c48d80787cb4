"""``dq queues``, ``dq workers`` and ``dq bench``, and how storages are reached."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.steps import eventually, put, running
from distributed_queue.tests.surfaces.programs import LIMIT, call, run

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.tests.surfaces.programs import Dq


def test_queues_are_listed_with_their_figures(dq: Dq, queue: HybridQueue) -> None:
    put(queue, {"type": "x"}, queue="mail")
    items = {item["name"]: item for item in dq("queues", "list", "--json").json["items"]}
    assert items["mail"]["counts"]["pending"] == 1
    assert items["mail"]["size"] == 1
    rows = dq("queues", "list").out.splitlines()
    assert rows[0].split()[:3] == ["QUEUE", "PENDING", "PROCESSING"]
    assert any(row.split()[:2] == ["mail", "1"] for row in rows)


def test_a_paused_queue_says_so(dq: Dq) -> None:
    assert dq("queues", "pause", "default").out == "default: paused\n"
    assert "paused" in dq("queues", "list").out
    assert dq("queues", "show", "--json").json["paused"] is True
    assert dq("queues", "resume", "default", "--json").json == {"items": [{"name": "default", "paused": False}]}


def test_limits_are_set_and_taken_away(dq: Dq, queue: HybridQueue) -> None:
    limits = ("--max-size", "2", "--rate-limit", "0.5", "--concurrency", "3")
    answer = dq("queues", "configure", "mail", *limits, "--retention-seconds", "1d", "--no-journal", "--json")
    settings = answer.json["settings"]
    assert (settings["max_size"], settings["rate_limit"], settings["concurrency"]) == (2, 0.5, 3)
    assert (settings["retention_seconds"], settings["journal"], settings["rate_burst"]) == (86_400, False, None)
    assert "max size 2" in dq("queues", "list").out
    settings = dq("queues", "configure", "mail", "--max-size", "none", "--journal", "--json").json["settings"]
    assert (settings["max_size"], settings["rate_limit"], settings["journal"]) == (None, 0.5, True)


def test_a_full_queue_says_its_depth_and_limit(dq: Dq) -> None:
    dq("queues", "configure", "default", "--max-size", "1")
    dq("submit", "simple")
    answer = dq("submit", "simple")
    assert answer.code == ExitCode.FAILURE
    assert "'default' is full: 1 of 1" in answer.err
    assert "dq queues configure default --max-size" in answer.err


def test_a_cleared_queue_keeps_its_settings(dq: Dq, queue: HybridQueue) -> None:
    dq("queues", "configure", "default", "--concurrency", "3")
    put(queue, {"type": "x"})
    assert dq("queues", "clear", "default").code == ExitCode.USAGE
    assert dq("queues", "clear", "default", "--yes", "--json").json == {"queue": "default", "cleared": 1}
    assert dq("queues", "show", "--json").json["settings"]["concurrency"] == 3


@pytest.mark.parametrize("command", ["show", "pause", "resume", "clear"])
def test_a_queue_that_is_not_there_is_not_found(dq: Dq, command: str) -> None:
    answer = dq("queues", command, "nowhere")
    assert answer.code == ExitCode.NOT_FOUND
    assert "'nowhere'" in answer.err
    assert dq("queues", command, "no where").code == ExitCode.USAGE


def test_workers_are_listed_and_obey(dq: Dq, queue: HybridQueue) -> None:
    assert dq("workers", "list").err.startswith("No workers.")
    with running(queue, name="w1", max_workers=3, queues=["mail"]) as worker:
        (item,) = dq("workers", "list", "--json").json["items"]
        assert (item["name"], item["id"], item["max_workers"], item["queues"]) == ("w1", worker.worker_id, 3, ["mail"])
        assert dq("workers", "scale", "w1", "7").out == "1 worker told to scale: w1\n"
        assert dq("workers", "pause", "--all").code == 0
        eventually(lambda: worker.get_stats()["paused"] and worker.config.max_workers == 7)
        dq("workers", "resume", worker.worker_id)
        dq("workers", "stop", "w1")
        assert worker.join(LIMIT)


def test_workers_tell_where_their_handlers_are(dq: Dq, queue: HybridQueue) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def send(_: object) -> None:
        begun.set()
        go_on.wait(LIMIT)

    with running(queue, name="w1", handlers={"default": send}):
        task = put(queue, timeout=60.0)
        assert begun.wait(LIMIT)
        shown = dq("workers", "stacks", "w1").out
        (item,) = dq("workers", "stacks", "--all", "--json").json["items"]
        go_on.set()
    assert shown.startswith("w1: 1 task, pid ")
    assert f"  {task.task_id} in default, attempt 1, for " in shown
    assert "limit 1m" in shown
    assert re.search(r"(?m)^    \S+/test_cli_queues.py:\d+ in .*send$", shown)
    (stack,) = item["stacks"]
    assert (item["worker"], stack["task_id"], stack["stuck"]) == ("w1", task.task_id, False)
    assert dq("workers", "stacks", "nobody").code == ExitCode.NOT_FOUND
    assert dq("workers", "stacks").code == ExitCode.USAGE


def test_a_worker_that_does_not_live_is_not_found(dq: Dq) -> None:
    assert dq("workers", "pause", "nobody").code == ExitCode.NOT_FOUND
    assert dq("workers", "stop", "--all").code == ExitCode.USAGE


def test_every_shared_storage_is_reached(shared_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    task_id = call(capsys, "submit", "simple", "--data", "1", "--storage-url", shared_url).out.strip()
    assert call(capsys, "tasks", "get", task_id, "--storage-url", shared_url, "--json").json["payload"]["data"] == 1


def test_a_storage_that_does_not_answer_ends_with_3_in_time(tmp_path: Path) -> None:
    started = time.monotonic()
    answer = run(tmp_path, "tasks", "list", DQ_STORAGE_URL="redis://:s3cret@127.0.0.1:1/0")
    assert time.monotonic() - started < 5
    assert answer.code == ExitCode.UNREACHABLE
    assert "127.0.0.1:1" in answer.err
    assert "--storage-url" in answer.err
    assert "s3cret" not in answer.err


def test_a_user_that_the_storage_refuses_ends_with_4(redis_url: str, tmp_path: Path) -> None:
    answer = run(tmp_path, "tasks", "list", "--storage-url", redis_url.replace("//", "//nobody:s3cret@"))
    assert answer.code == ExitCode.AUTH
    assert "s3cret" not in answer.err


def test_the_default_storage_is_a_file_in_the_users_data_folder(tmp_path: Path) -> None:
    home = tmp_path / "with space and %20"
    home.mkdir()
    assert run(home, "submit", "simple").code == 0
    assert (home / "data" / "distributedq" / "queue.db").is_file()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    answer = run(tmp_path, "tasks", "list")
    assert answer.code == ExitCode.USAGE
    assert str(tmp_path / "data" / "distributedq") in answer.err
    assert "--storage-url" in answer.err


def test_bench_measures_and_leaves_nothing_behind(dq: Dq, queue: HybridQueue) -> None:
    figures = dq("bench", "--tasks", "500", "--json").json
    assert 0 < figures["latency"]["median_seconds"] <= figures["latency"]["p99_seconds"]
    assert figures["engine"] == "sqlite"
    assert [row["tasks"] for row in figures["results"]] == [50, 450, 500]
    assert all(row["tasks_per_second"] > 0 and row["cpu_seconds_per_task"] > 0 for row in figures["results"])
    assert sum(sum(stats.counts.values()) for stats in queue.queue_stats()) == 0


def test_bench_does_not_let_other_workers_take_its_tasks(dq: Dq, queue: HybridQueue) -> None:
    with running(queue, name="w1"):
        answer = dq("bench", "--tasks", "100")
        assert answer.code == ExitCode.CONFLICT
        assert "'w1'" in answer.err
    with running(queue, name="w2", queues=["mail"]):
        assert dq("bench", "--tasks", "100").code == 0
