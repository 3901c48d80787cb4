"""What is said of a task's attempts and retries."""

from __future__ import annotations

from typing import Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.observability.attempts import failed_attempt, retries, was_requeued
from distributed_queue.tests.steps import look, put, take


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"attempt": 0}, ""),
        ({"attempt": 1}, ""),
        ({"attempt": 1, "retry_count": 1, "status": TaskStatus.RETRYING}, "retry 1 of 2"),
        ({"attempt": 2, "retry_count": 1, "status": TaskStatus.PROCESSING}, "retry 1 of 2"),
        ({"attempt": 2, "retry_count": 1, "status": TaskStatus.COMPLETED}, "retry 1 of 2"),
        ({"attempt": 3, "retry_count": 3, "status": TaskStatus.DEAD}, "retry 2 of 2"),
        ({"attempt": 1, "retry_count": 1, "status": TaskStatus.DEAD}, ""),
        ({"attempt": 4, "retry_count": 0, "status": TaskStatus.PROCESSING}, "retry 0 of 2"),
        ({"attempt": 4, "retry_count": 1, "status": TaskStatus.DEAD, "reason": "crashed"}, "retry 1 of 2"),
        ({"attempt": 6, "retry_count": 5, "status": TaskStatus.PROCESSING}, "retry 5"),
        ({"attempt": 2, "max_retries": 0}, "no retries"),
        ({"attempt": 2, "max_retries": 0, "retry_count": 1, "status": TaskStatus.PROCESSING}, "retry 1"),
    ],
)
def test_retries_are_told_apart_from_attempts(fields: dict[str, Any], text: str) -> None:
    assert retries(Task(1, None, **{"max_retries": 2, **fields})) == text


def fail(queue: HybridQueue, task: Task) -> Task:
    assert take(queue).task_id == task.task_id
    assert queue.mark_failed(task.task_id, "it broke")
    return look(queue, task)


def test_a_requeued_task_has_all_its_retries_again() -> None:
    with HybridQueue() as queue:
        task = put(queue, max_retries=0)
        died = fail(queue, task)
        assert (was_requeued(died), failed_attempt(died)) == (False, 1)
        assert queue.requeue_dead() == 1
        take(queue)
        again = look(queue, task)
        assert (again.attempt, was_requeued(again), retries(again)) == (2, True, "no retries")


def test_the_error_is_of_the_attempt_that_failed_not_of_the_one_that_runs() -> None:
    with HybridQueue() as queue:
        task = put(queue, max_retries=1)
        fail(queue, task)
        assert queue.requeue(task.task_id)
        assert failed_attempt(look(queue, task)) == 1
        take(queue)
        running = look(queue, task)
        assert (running.attempt, failed_attempt(running)) == (2, 1)
