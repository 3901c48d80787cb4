"""``dq worker --reload``: the code that is there counts."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.steps import eventually, put
from distributed_queue.tests.surfaces.programs import HOLDING, LIMIT, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWERING = """
{}
def answer(data):
    return {!r}

handlers["answer"] = answer
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, "before")
    return tmp_path


@pytest.fixture
def queue(sqlite_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(sqlite_url) as queue:
        yield queue


def write(home: Path, answer: str) -> None:
    """Put the module there in one step, as editors do."""
    new = home / "module.new"
    new.write_text(ANSWERING.format(HOLDING, answer))
    new.rename(home / "mine.py")


def ask(queue: HybridQueue) -> object:
    return queue.wait_result(put(queue, {"type": "answer"}).task_id, LIMIT)


def test_a_change_counts_once_what_runs_has_finished(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    arguments = ("--reload", "--threads", "2", "--storage-url", sqlite_url)
    with Program(home, "worker", "mine", *arguments) as program:
        assert ask(queue) == "before"
        held = put(queue, {"type": "hold"})
        eventually((home / "held").exists)
        write(home, "after")
        program.says("mine.py changed")
        program.says("waiting up to 30 s for 1 task")
        (home / "go").touch()
        assert queue.wait_result(held.task_id, LIMIT) == "held"
        assert ask(queue) == "after"
        program.send(signal.SIGTERM)
        assert program.ends() == 0
        assert program.output.count("stopped\n") == 2


def test_code_that_cannot_be_loaded_is_waited_for(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    (home / "mine.py").write_text("nonsense here\n")
    with Program(home, "worker", "mine", "--reload", "--storage-url", sqlite_url) as program:
        program.says("cannot be imported")
        program.says("started again when the code changes")
        write(home, "mended")
        assert ask(queue) == "mended"
        assert program.stop() == 0
