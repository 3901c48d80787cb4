"""What a worker leaves in the history of a task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import Discard, HybridQueue, Snooze, current_task
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.tests.steps import LIMIT, eventually, finished, look, put, running, take

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as opened:
        yield opened


def by_attempt(data: dict[str, str]) -> str:
    """What is to happen in which attempt."""
    what = data.get(str(current_task().attempt))
    if what == "fail":
        raise LookupError("not there")
    if what == "snooze":
        raise Snooze(0.001)
    if what == "discard":
        raise Discard("not wanted")
    if what == "hang":
        while True:
            time.sleep(0.01)
    return "done"


def outcomes(queue: HybridQueue, plan: dict[str, str], **fields: Any) -> list[tuple[str, str]]:
    with running(queue, handlers={"plan": by_attempt}):
        (task,) = finished(queue, [put(queue, {"type": "plan", "data": plan}, **fields)])
    task = look(queue, task)
    assert [each.attempt for each in task.history] == list(range(1, len(task.history) + 1))
    return [(str(each.outcome), each.summary) for each in task.history]


def test_a_task_that_succeeds_at_once_has_one_attempt(queue: HybridQueue) -> None:
    with running(queue, handlers={"plan": by_attempt}) as worker:
        (task,) = finished(queue, [put(queue, {"type": "plan", "data": {}})])
        worker_id = worker.worker_id
    (attempt,) = look(queue, task).history
    assert (str(attempt.outcome), attempt.worker_id, attempt.error, attempt.traceback) == (
        "succeeded",
        worker_id,
        None,
        None,
    )
    assert attempt.ended_at == look(queue, task).finished_at


def test_failures_and_snoozes_are_told_with_their_words(queue: HybridQueue) -> None:
    told = outcomes(queue, {"1": "fail", "2": "snooze"})
    assert [outcome for outcome, _ in told] == ["failed", "snoozed", "succeeded"]
    assert told[0][1] == "LookupError: not there"
    assert told[1][1].startswith("Snooze")


def test_the_end_of_each_traceback_is_kept(queue: HybridQueue) -> None:
    with running(queue, handlers={"plan": by_attempt}):
        (task,) = finished(queue, [put(queue, {"type": "plan", "data": {"1": "fail", "2": "fail"}}, max_retries=1)])
    history = look(queue, task).history
    assert [(each.traceback or "").splitlines()[-1] for each in history] == ["LookupError: not there"] * 2
    assert all("in by_attempt" in (each.traceback or "") for each in history)


def test_what_takes_too_long_has_timed_out(queue: HybridQueue) -> None:
    told = outcomes(queue, {"1": "hang"}, timeout=0.05)
    assert [outcome for outcome, _ in told] == ["timed_out", "succeeded"]


def test_what_is_discarded_says_why(queue: HybridQueue) -> None:
    assert outcomes(queue, {"1": "discard"}) == [("cancelled", "Discard: not wanted")]


def test_a_worker_that_stops_gives_back_with_a_trace(queue: HybridQueue) -> None:
    worker = Worker(queue, WorkerConfig(shutdown_timeout=0.0))
    worker.register_handler("plan", by_attempt)
    worker.start()
    task = put(queue, {"type": "plan", "data": {"1": "hang"}})
    eventually(lambda: worker.get_stats()["active_tasks"] == 1)
    assert [str(each.outcome) for each in look(queue, task).history] == ["running"]
    worker.stop(timeout=0.0)
    (released,) = look(queue, task).history
    assert str(released.outcome) == "released"
    assert released.duration is not None


def test_who_marks_a_task_as_failed_tells_why(queue: HybridQueue) -> None:
    first, second = put(queue, "x", priority=1), put(queue, "x", priority=2)
    for task, error in ((first, ValueError("bad")), (second, "just words")):
        take(queue, timeout=LIMIT)
        assert queue.mark_failed(task.task_id, error)
    assert [look(queue, task).history[0].summary for task in (first, second)] == ["ValueError: bad", "just words"]
