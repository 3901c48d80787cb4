from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.ids import id_time
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.payload import encode_result
from distributed_queue.core.retry import RetryPolicy
from distributed_queue.core.storage import ClaimedTask, StoredTask
from distributed_queue.core.task import (
    DEFAULT_MAX_RETRIES,
    Failure,
    Task,
    decode_failure,
    encode_failure,
    from_claimed,
    from_stored,
    to_new_task,
)
from distributed_queue.errors import InvalidQueueName, InvalidTask, PayloadTooLarge

OWN = Task(
    7,
    {"type": "mail", "data": [1]},
    task_id="t1",
    queue="letters",
    max_retries=9,
    timeout=2.5,
    retry=RetryPolicy(base=1.0),
    expires_at=1.8e9,
)


def test_the_example_of_the_specification() -> None:
    task = Task(priority=1, payload={"type": "simple", "data": "Hello World"})
    assert (task.type, task.data, task.queue, task.max_retries) == ("simple", "Hello World", "default", 3)
    assert task.status is TaskStatus.PENDING
    assert id_time(task.task_id) is not None


def test_tasks_order_by_priority() -> None:
    urgent, usual, same = Task(1, "a"), Task(100, "b"), Task(1, "c")
    assert urgent < usual
    assert usual > urgent
    assert urgent <= same
    assert urgent >= same
    assert sorted([usual, urgent]) == [urgent, usual]


def test_a_task_for_the_storage_has_what_the_storage_needs() -> None:
    new = to_new_task(Task(7, {"type": "mail"}, task_id="t1", queue="q", execute_after=5.0, delay=6.0, expires_at=7.0))
    assert (new.id, new.queue, new.type, new.priority) == ("t1", "q", "mail", 7)
    assert (new.execute_after, new.delay, new.expires_at) == (5.0, 6.0, 7.0)


def test_a_claimed_task_is_the_one_that_was_enqueued() -> None:
    new = to_new_task(OWN)
    task = from_claimed(
        ClaimedTask(new.queue, new.id, 3, new.priority, new.body, 2, 1, 100.0, 200.0, expires_at=new.expires_at)
    )
    for field in ("priority", "payload", "task_id", "queue", "max_retries", "timeout", "retry", "expires_at"):
        assert getattr(task, field) == getattr(OWN, field)
    assert (task.status, task.attempt, task.retry_count, task.crashes) == (TaskStatus.PROCESSING, 3, 2, 1)
    assert (task.created_at, task.started_at) == (100.0, 200.0)


def test_a_stored_task_shows_everything() -> None:
    new = to_new_task(OWN)
    task = from_stored(
        StoredTask(
            queue=new.queue,
            id=new.id,
            type=new.type,
            status=TaskStatus.DEAD,
            priority=new.priority,
            body=new.body,
            attempt=3,
            failures=2,
            crashes=1,
            created_at=100.0,
            started_at=200.0,
            finished_at=300.0,
            result=encode_result({"r": 1}),
            error=encode_failure(Failure("ValueError: no", "Traceback …", 3)),
            reason="failed",
            progress=encode_result(0.5),
        )
    )
    assert (task.payload, task.retry, task.max_retries) == (OWN.payload, OWN.retry, 9)
    assert (task.status, task.reason, task.error, task.traceback) == (
        TaskStatus.DEAD,
        "failed",
        "ValueError: no",
        "Traceback …",
    )
    assert (task.result, task.progress, task.finished_at) == ({"r": 1}, 0.5, 300.0)


def test_defaults_come_back_as_defaults() -> None:
    new = to_new_task(Task(1, "x"))
    stored = StoredTask(
        queue="q", id="t", type="default", status=TaskStatus.PENDING, priority=1, body=new.body, created_at=1.0
    )
    task = from_stored(stored)
    assert (task.max_retries, task.timeout, task.retry) == (DEFAULT_MAX_RETRIES, None, None)
    assert (task.result, task.error, task.progress) == (None, None, None)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("priority", value) for value in (-1, 1001, 1.0, True, "1", None, 2**70)],
        *[("task_id", value) for value in ("", "a b", "a/b", "ü", "x" * 201, 7, None, "t\n", "\ud800")],
        *[("max_retries", value) for value in (-1, 10_001, 1.5, True, None, "3")],
        *[("timeout", value) for value in (0, -1, NAN, INFINITY, "1", True, 1e9)],
        *[("delay", value) for value in (-0.001, NAN, INFINITY, "1", False, 1e12)],
        *[("execute_after", value) for value in (-1, NAN, INFINITY, "now", True, 1e15)],
        *[("expires_at", value) for value in (-1, NAN, INFINITY, "now", True, 1e15)],
        *[("retry", value) for value in ("exponential", 3, {"base": 1})],
    ],
)
def test_a_wrong_field_is_refused_and_named(field: str, value: Any) -> None:
    fields = {"priority": 1, "payload": "x", field: value}
    with pytest.raises(InvalidTask) as caught:
        to_new_task(Task(**fields))
    assert caught.value.field == field
    assert field in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 101, "a\n", None, 7])
def test_a_wrong_queue_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidQueueName, match="letters, digits"):
        to_new_task(Task(1, "x", queue=name))


def test_a_payload_that_is_too_large_is_refused() -> None:
    with pytest.raises(PayloadTooLarge):
        to_new_task(Task(1, "x" * 100), limit_bytes=50)


@given(st.text(), st.none() | st.text(), st.integers(0, 100))
def test_any_failure_can_be_stored(message: str, traceback: str | None, attempt: int) -> None:
    failure = Failure.of(ValueError(message), attempt, traceback)
    assert decode_failure(encode_failure(failure)) == failure


def test_a_failure_keeps_the_start_of_the_error_and_the_end_of_the_traceback() -> None:
    failure = Failure.of(KeyError("x" * 5000), 1, "first line\n" + "y" * 20_000 + "\nlast line")
    assert failure.error.startswith("KeyError: 'xxx")
    assert len(failure.error) == Failure.MAX_ERROR
    assert failure.traceback is not None
    assert failure.traceback.endswith("last line")
    assert len(failure.traceback) == Failure.MAX_TRACEBACK


def test_a_failure_may_be_told_in_words() -> None:
    assert Failure.of("it broke", 2) == Failure("it broke", None, 2)


def test_headers_go_with_a_task() -> None:
    body = to_new_task(Task(1, None, headers={"a": "b"})).body
    stored = StoredTask(
        queue="q", id="t", type="default", status=TaskStatus.PENDING, priority=1, body=body, created_at=1.0
    )
    assert from_stored(stored).headers == {"a": "b"}


@pytest.mark.parametrize("headers", ["a", {"a": 1}, {1: "a"}, {"a": "b" * 8192}])
def test_headers_are_short_texts(headers: Any) -> None:
    with pytest.raises(InvalidTask) as caught:
        to_new_task(Task(1, None, headers=headers))
    assert caught.value.field == "headers"
