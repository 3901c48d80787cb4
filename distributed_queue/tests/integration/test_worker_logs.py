"""What handlers log stays with the attempt."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import HybridQueue, TaskLogHandler, current_task
from distributed_queue.core.notes import MAX_LINE, MAX_LINES, MAX_LOG_BYTES
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.tests.steps import LIMIT, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("shop.mail")


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as opened:
        yield opened


@pytest.fixture
def captured() -> Iterator[None]:
    """The program logs with the handler that keeps records."""
    handler = TaskLogHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)


def say(lines: list[str]) -> None:
    for line in lines:
        current_task().log(line)


async def say_on_the_loop(lines: list[str]) -> None:
    for line in lines:
        await asyncio.sleep(0)
        current_task().log(line, level="DEBUG")


def say_in_a_child(lines: list[str]) -> None:
    say([f"{line} {multiprocessing.parent_process() is not None}" for line in lines])
    current_task().log(f"half a pair: {chr(0xD83D)}")


def log(lines: list[Any]) -> None:
    for line in lines:
        logger.warning(line)


def told(queue: HybridQueue, payload: dict[str, Any], handler: Any) -> list[str]:
    with running(queue, handlers={"say": handler}):
        (task,) = finished(queue, [put(queue, {"type": "say", "data": payload["data"]}, max_retries=0)])
    return messages(queue, task)


def messages(queue: HybridQueue, task: Any) -> list[str]:
    return [line.message for each in look(queue, task).history for line in each.log]


def test_lines_stay_with_an_attempt_that_succeeds_at_once(queue: HybridQueue) -> None:
    assert told(queue, {"data": ["one", "two"]}, say) == ["one", "two"]
    assert told(queue, {"data": ["one", "two"]}, say_on_the_loop) == ["one", "two"]


def test_each_attempt_has_its_own(queue: HybridQueue) -> None:
    def fail_once(_: object) -> None:
        task = current_task()
        task.log(f"attempt {task.attempt}")
        if task.attempt == 1:
            raise LookupError("not there")

    with running(queue, handlers={"say": fail_once}):
        (task,) = finished(queue, [put(queue, {"type": "say"})])
    history = look(queue, task).history
    assert [[line.message for line in each.log] for each in history] == [["attempt 1"], ["attempt 2"]]
    assert history[0].error == "not there"
    assert history[0].started_at - 1 <= history[0].log[0].at <= (history[0].ended_at or 0) + 1


def test_lines_are_there_while_the_handler_runs(queue: HybridQueue) -> None:
    go_on = threading.Event()

    def wait(_: object) -> None:
        current_task().log("begun")
        go_on.wait(LIMIT)

    with running(queue, handlers={"say": wait}):
        task = put(queue, {"type": "say"})
        eventually(lambda: messages(queue, task) == ["begun"])
        assert [str(each.outcome) for each in look(queue, task).history] == ["running"]
        go_on.set()
        finished(queue, [task])
    assert messages(queue, task) == ["begun"]


def test_what_a_child_process_logs_is_kept(queue: HybridQueue) -> None:
    worker = Worker(queue, WorkerConfig(children=1))
    worker.register_handler("say", say_in_a_child, executor="process")
    worker.start()
    try:
        (task,) = finished(queue, [put(queue, {"type": "say", "data": ["from the child"]})])
    finally:
        worker.stop()
    assert messages(queue, task) == ["from the child True", "half a pair: ?"]


def test_the_latest_lines_are_kept_and_the_others_counted(queue: HybridQueue) -> None:
    with running(queue, handlers={"say": say}):
        many = put(queue, {"type": "say", "data": [str(number) for number in range(MAX_LINES + 50)]})
        long = put(queue, {"type": "say", "data": ["x" * 2 * MAX_LINE] * 50})
        finished(queue, [many, long])
    (attempt,) = look(queue, many).history
    assert [line.message for line in attempt.log] == [str(number) for number in range(50, MAX_LINES + 50)]
    assert attempt.log_dropped == 50
    (attempt,) = look(queue, long).history
    assert {len(line.message) for line in attempt.log} == {MAX_LINE}
    assert len(attempt.log) == MAX_LOG_BYTES // MAX_LINE
    assert attempt.log_dropped == 50 - len(attempt.log)


@pytest.mark.usefixtures("captured")
def test_records_of_the_handler_are_captured_where_that_is_asked_for(queue: HybridQueue) -> None:
    logger.warning("outside of any task")
    with running(queue, handlers={"say": log}):
        (task,) = finished(queue, [put(queue, {"type": "say", "data": ["from the handler"]})])
    (attempt,) = look(queue, task).history
    assert [(line.level, line.message) for line in attempt.log] == [("WARNING", "from the handler")]


def test_nothing_is_captured_unasked(queue: HybridQueue) -> None:
    assert told(queue, {"data": ["from the handler"]}, log) == []


@pytest.mark.usefixtures("captured")
def test_a_record_that_cannot_be_formatted_does_no_harm(queue: HybridQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def log_badly(_: object) -> str:
        logger.warning("%d", "no number")
        logger.warning("fine")
        return "done"

    with running(queue, handlers={"say": log_badly}):
        (task,) = finished(queue, [put(queue, {"type": "say"}, max_retries=0)])
    assert look(queue, task).result == "done"
    assert messages(queue, task) == ["fine"]
