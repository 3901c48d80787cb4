"""Operations that are killed at any of their steps leave nothing lost, doubled or stuck, and can be repeated."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.task import Task
from distributed_queue.testing.crashpoints import OPERATIONS, Operation, Trials
from distributed_queue.testing.crashpoints.processes import ProcessTrials
from distributed_queue.testing.crashpoints.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.testing.servers import RedisServer

BY_NAME = {operation.name: operation for operation in OPERATIONS}
FEW = ("put a batch over three new queues", "take three, complete one, close", "dq submit --file, by twos")


@pytest.fixture
def fresh_urls(tmp_path: Path, redis_server: RedisServer) -> dict[str, Callable[[], str]]:
    """Makes the URL of an empty storage, by engine."""
    numbers = itertools.count()

    def emptied() -> str:
        redis_server.flush()
        return redis_server.url

    return {
        "memory": lambda: "memory://",
        "sqlite": lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db?synchronous=normal",
        "redis": emptied,
    }


@pytest.mark.parametrize("name", [name for name in BY_NAME if not name.startswith("dq ")])
def test_an_operation_is_killed_at_each_call_of_the_storage(name: str) -> None:
    outcome = Trials("memory", lambda: "memory://").run(BY_NAME[name])
    assert outcome.points >= 6
    assert outcome.broken == []


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize(("engine", "steps"), [("sqlite", "calls"), ("redis", "calls"), ("redis", "commands")])
def test_it_is_so_on_other_engines(
    engine: str, steps: str, name: str, fresh_urls: dict[str, Callable[[], str]]
) -> None:
    outcome = Trials(engine, fresh_urls[engine], steps).run(BY_NAME[name])
    assert outcome.points >= 10
    assert outcome.broken == []


@pytest.mark.parametrize(("engine", "steps", "at"), [("sqlite", "commits", 4), ("redis", "calls", 9)])
def test_a_worker_is_killed_for_good(
    engine: str, steps: str, at: int, fresh_urls: dict[str, Callable[[], str]], tmp_path: Path
) -> None:
    outcome = ProcessTrials(engine, fresh_urls[engine], tmp_path, steps).run(next(iter(PROGRAMS)), [at])
    assert outcome.points == 1
    assert outcome.broken == []


def move_in_two_steps(queue: HybridQueue) -> None:
    """What nobody should write: the task is in neither queue for a moment."""
    task = queue.get_task("a")
    if task is not None and task.queue == "default":
        queue.storage.delete("default", ["a"])
        queue.put(Task(5, {"type": "x"}, task_id="a", queue="other"))


def test_a_step_too_many_is_noticed_at_the_point_between() -> None:
    move = Operation(
        "move in two steps",
        lambda queue: queue.put_many([Task(5, {"type": "x"}, task_id="a")]),
        move_in_two_steps,
        lambda queue: (task := queue.get_task("a")) is not None and task.queue == "other",
    )
    outcome = Trials("memory", lambda: "memory://").run(move)
    assert {broken.split(":")[0] for broken in outcome.broken} == {"6", "7", "8", "9"}
