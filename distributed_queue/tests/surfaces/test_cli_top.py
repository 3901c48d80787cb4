"""``dq top``: what the terminal shows, and what its keys do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.widgets import DataTable, Static

from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.terminal import Top
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import WorkerInfo
from distributed_queue.errors import StorageUnavailable
from distributed_queue.tests.steps import put
from distributed_queue.tests.surfaces.programs import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from textual.pilot import Pilot

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.tests.surfaces.programs import Dq


def rows(top: Top, name: str) -> list[list[str]]:
    table = top.query_one(f"#{name}-table", DataTable)
    return [[str(cell) for cell in table.get_row_at(index)] for index in range(table.row_count)]


def text(top: Top, name: str) -> str:
    return str(top.query_one(f"#{name}", Static).render())


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not holds():
            await pilot.pause(0.02)

    await asyncio.wait_for(wait(), LIMIT)


def bury(queue: HybridQueue, name: str) -> str:
    """A dead letter."""
    task_id = put(queue, {"type": "send"}, queue=name, max_retries=0).task_id
    taken = queue.get(block=False)
    assert taken is not None
    queue.mark_failed(taken.task_id, "no such address \x1b[31m")
    return task_id


async def test_queues_are_shown_and_paused(queue: HybridQueue) -> None:
    put(queue, {"type": "x"}, queue="mail")
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: bool(rows(top, "queues")))
        assert [row[:2] for row in rows(top, "queues")] == [["default", "0"], ["mail", "1"]]
        await pilot.press("down", "p")
        await until(pilot, lambda: rows(top, "queues")[1][0] == "mail  paused")
        assert queue.queue_stats("mail")[0].config.paused
        await pilot.press("p")
        await until(pilot, lambda: rows(top, "queues")[1][0] == "mail")
        assert "here" in text(top, "figures")


async def test_what_is_wrong_is_said(queue: HybridQueue) -> None:
    put(queue, {"type": "x"}, queue="mail")
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "no worker" in text(top, "problem-list").lower())


async def test_dead_letters_are_shown_safely_and_requeued(queue: HybridQueue) -> None:
    task_id = bury(queue, "default")
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: bool(rows(top, "dead")))
        (row,) = rows(top, "dead")
        assert (row[0], row[2], row[4]) == (task_id, "send", "no such address \\x1b[31m")
        await pilot.press("r")
        await until(pilot, lambda: not rows(top, "dead"))
        task = queue.get_task(task_id)
        assert task is not None
        assert task.status is TaskStatus.PENDING


async def test_all_dead_letters_of_a_queue_are_requeued_after_a_question(queue: HybridQueue) -> None:
    bury(queue, "default")
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: bool(rows(top, "queues")))
        await pilot.press("r", "n")
        assert queue.queue_stats("default")[0].counts[TaskStatus.DEAD] == 1
        await pilot.press("r")
        await until(pilot, lambda: len(top.screen_stack) == 2)
        await pilot.press("y")
        await until(pilot, lambda: rows(top, "queues")[0][5] == "0")
        assert queue.queue_stats("default")[0].counts[TaskStatus.PENDING] == 1


async def test_a_running_task_is_cancelled_after_a_question(queue: HybridQueue) -> None:
    task_id = put(queue, {"type": "x"}).task_id
    assert queue.get(block=False) is not None
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: [row[0] for row in rows(top, "running")] == [task_id])
        await pilot.press("c")
        await until(pilot, lambda: len(top.screen_stack) == 2)
        await pilot.press("y")
        await until(pilot, lambda: bool((task := queue.get_task(task_id)) and task.cancel_requested))


async def test_workers_are_paused(queue: HybridQueue) -> None:
    info = WorkerInfo(id="w1", name="worker-1", host="h", pid=1, max_workers=4, active_tasks=1)
    queue.storage.beat(info)
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: bool(rows(top, "workers")))
        assert rows(top, "workers")[0][:3] == ["worker-1", "running", "1 of 4"]
        await pilot.press("p")
        told: list[str] = []

        def is_told() -> bool:
            told.extend(command.action for command in queue.storage.beat(info).commands)
            return told == ["pause"]

        await until(pilot, is_told)


async def test_while_the_storage_is_down_the_last_figures_stay(
    queue: HybridQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = Top(queue, 0.2, "here")
    async with top.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: bool(rows(top, "queues")))
        with monkeypatch.context() as broken:

            def fail(_: object = None) -> None:
                raise StorageUnavailable("the storage", "it does not answer")

            broken.setattr(queue.storage, "stats", fail)
            await until(pilot, lambda: "down" in text(top, "figures"))
            assert "it does not answer" in text(top, "problem-list")
            assert rows(top, "queues")
        await until(pilot, lambda: "up" in text(top, "figures"))


def test_without_a_terminal_it_says_what_to_use_instead(dq: Dq) -> None:
    done = dq("top")
    assert done.code == ExitCode.USAGE
    assert "dq queues list --json" in done.err
